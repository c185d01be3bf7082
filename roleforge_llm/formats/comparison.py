"""Comparing two formats byte for byte, over several conversations."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from roleforge_llm.errors import FormatError, InvalidRequest, MessageError, RoleforgeError, ServerError
from roleforge_llm.formats.base import PromptFormat
from roleforge_llm.formats.linting import lint_format
from roleforge_llm.messages import Conversation, Message

__all__ = ["Comparison", "Difference", "compare"]

_SYSTEM = Message("system", "You are a helpful cook.\nAnswer in one sentence.")
_TURNS = (
    Message("user", "What can I cook today?"),
    Message("assistant", 'A soup. "Crème" makes it <rich> & fine.'),
    Message("user", "And tomorrow?\n\n- 1 onion\n- 2 eggs"),
    Message("assistant", "An omelette: fast, cheap, good."),
    Message("user", "Thanks! 谢谢 🍲"),
)

CONVERSATIONS: Mapping[str, tuple[Message, ...]] = {
    "one user message": _TURNS[:1],
    "a system message": (_SYSTEM, *_TURNS[:1]),
    "two turns": _TURNS[:3],
    "a system message and two turns": (_SYSTEM, *_TURNS[:3]),
    "a system message and three turns": (_SYSTEM, *_TURNS),
}
"""What is compared, by a name for people."""

_SPACED = (Message("user", " spaces around \n"), Message("assistant", " here "), Message("user", " and there "))

_REFUSALS = (FormatError, MessageError, InvalidRequest, ServerError)
_SHOWN = 40


@attrs.frozen
class Difference:
    """Where the two prompts of a *conversation* part: at *byte* of both.

    *ours* and *theirs* go on from there, *before* is what they share.
    """

    conversation: str
    byte: int
    before: str
    ours: str
    theirs: str


@attrs.frozen
class Comparison:
    """What came of comparing.

    *compared* are the conversations that were, *skipped* those that the other side refuses, with its reason.
    *differences* has the first one of each conversation that is not equal.
    *warnings* say what is odd though the bytes may be equal.
    """

    compared: tuple[str, ...]
    skipped: Mapping[str, str]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether every byte of everything that was compared is the same."""
        return not self.differences


def compare(ours: PromptFormat, theirs: PromptFormat, *, lint: bool = True) -> Comparison:
    """Compare *ours* with *theirs*, which is right, as they would be sent: a BOS in front of either does not count.

    Raises :class:`FormatError` if *theirs* renders none of the conversations; *lint* adds what is odd about *ours*.
    """
    skipped: dict[str, str] = {}
    differences: list[Difference] = []
    warnings = [finding.message for finding in lint_format(ours)] if lint else []
    for name, messages in CONVERSATIONS.items():
        try:
            right = _sent(theirs, messages)
        except _REFUSALS as error:
            skipped[name] = str(error)
            continue
        text = _rendered(ours, messages)
        if text != right:
            differences.append(_difference(name, text, right))
            warnings += _missing_generation_prompt(text, right)
    compared = tuple(name for name in CONVERSATIONS if name not in skipped)
    if not compared:
        raise FormatError(f"{theirs.name} refuses every conversation, such as {next(iter(skipped.items()))}")
    if not differences and _trims_differently(ours, theirs):
        warnings.append("white space around the text of a message is kept by one of the two and removed by the other")
    return Comparison(compared, skipped, tuple(differences), tuple(dict.fromkeys(warnings)))


def _sent(found: PromptFormat, messages: tuple[Message, ...]) -> str:
    """The prompt without the BOS that *found* writes, because servers add it."""
    return found.render(Conversation(messages)).removeprefix(found.bos_token)


def _rendered(found: PromptFormat, messages: tuple[Message, ...]) -> str:
    try:
        return _sent(found, messages)
    except RoleforgeError as error:
        return f"(refused: {error})"


def _difference(conversation: str, ours: str, theirs: str) -> Difference:
    parted = (at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other)
    shared = next(parted, min(len(ours), len(theirs)))
    return Difference(
        conversation=conversation,
        byte=len(ours[:shared].encode()),
        before=ours[max(0, shared - _SHOWN) : shared],
        ours=ours[shared : shared + _SHOWN],
        theirs=theirs[shared : shared + _SHOWN],
    )


def _missing_generation_prompt(ours: str, theirs: str) -> list[str]:
    rest = theirs.removeprefix(ours)
    return [f"the generation prompt is missing: {rest!r} should follow"] if theirs.startswith(ours) else []


def _trims_differently(ours: PromptFormat, theirs: PromptFormat) -> bool:
    try:
        return _sent(theirs, _SPACED) != _rendered(ours, _SPACED)
    except _REFUSALS:
        return False
