"""Rendering in which no content can open, close or imitate a turn."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

import attrs

from roleforge_llm.errors import ForgedTurn
from roleforge_llm.formats import PromptFormat
from roleforge_llm.guard.escaping import Escaped, escape_conversation
from roleforge_llm.guard.markers import Touch
from roleforge_llm.guard.skeleton import Render, markers_around
from roleforge_llm.guard.vocabulary import Vocabulary, vocabulary_of
from roleforge_llm.messages import Conversation, Message
from roleforge_llm.prefixes import LEAST, Known, Prefixes, worth

__all__ = ["ForgedTurns", "Guarded", "guarded"]

ForgedTurns: TypeAlias = Literal["escape", "reject"]


@attrs.frozen
class Guarded:
    """A prompt's *text*, and what its maker should know about it: *escaped* says where markers were escaped in it."""

    text: str
    warnings: tuple[str, ...] = ()
    escaped: bool = False


def guarded(
    format: PromptFormat,  # noqa: A002  # the word for it everywhere else, too
    conversation: Conversation,
    render: Render,
    *,
    forged_turns: ForgedTurns = "escape",
    received: str = "",
    varied: bool = False,
) -> Guarded:
    """Render *conversation* with *render*, the rendering of *format*, so that no content can forge a turn.

    Markers of *format* in the messages are escaped, or refused. The end of the prefill, *received*, is the
    model's own and stays as it is. *varied* says that *render* fills in variables besides the conversation.

    Raises :class:`ForgedTurn` where markers are refused or cannot be escaped, and whatever *render* raises.
    """
    vocabulary = vocabulary_of(format)
    received = conversation.prefill if conversation.trusted_prefill else received
    touch = _touch(conversation, vocabulary)
    if touch is Touch.NONE and not varied:
        return Guarded(render(conversation))
    notes: tuple[str, ...] = ()
    if touch >= Touch.JOINS:
        escaped = escape_conversation(format, conversation, received, vocabulary)
        if forged_turns == "reject":
            _refuse(format, escaped)
        conversation, notes = escaped.conversation, tuple(_notes(format, escaped))
    text = render(conversation)
    if vocabulary.replies.sequence(text) != markers_around(format, conversation, received, render if varied else None):
        raise ForgedTurn(
            f"the prompt format {format.name!r} made markers of turns out of what the messages say; "
            "take what looks like a marker out of them, or mark messages as trusted"
        )
    return Guarded(text, notes, escaped=bool(notes))


def _touch(conversation: Conversation, vocabulary: Vocabulary) -> Touch:
    """What the messages have to do with markers: none if no rendering of them can hold one that is not the format's.

    A marker that content has a part in begins in content, where no text of the template ends within one.
    """
    messages = conversation.messages
    count, known = _clean.find(vocabulary, messages) if len(messages) >= LEAST else (0, None)
    whole = _simple_text(messages[count:], conversation.prefill)
    touch = Touch.HOLDS if whole is None else _touch_of(whole, vocabulary)
    if touch is Touch.NONE and whole is not None and len(messages) >= LEAST:
        size = len(whole) + (known.size if known else 0)
        _clean.keep(Known(vocabulary, worth(count, messages), None, size), known, count)
    return touch


_clean: Prefixes[None] = Prefixes(operator.is_)
"""Messages that have nothing to do with the markers of a vocabulary."""


def _touch_of(whole: str, vocabulary: Vocabulary) -> Touch:
    if vocabulary.closed and not vocabulary.markers.may_begin_in(whole):
        return Touch.NONE
    touch = vocabulary.markers.touching(whole)
    if not (vocabulary.closed and vocabulary.verbatim):
        return max(touch, Touch.ENDS)
    return Touch.NONE if touch is Touch.ENDS and vocabulary.sealed else touch


def _refuse(format: PromptFormat, escaped: Escaped) -> None:  # noqa: A002  # as above
    if not escaped.indices and not escaped.elsewhere:
        return
    where = "" if escaped.indices else f" in {escaped.elsewhere[0]}"
    raise ForgedTurn(
        f"a marker of the prompt format {format.name!r}{where}, which forgedTurns = 'reject' refuses; take it out",
        escaped.indices[0] if escaped.indices else None,
    )


def _notes(format: PromptFormat, escaped: Escaped) -> Iterable[str]:  # noqa: A002  # as above
    places = [*(f"messages[{index}]" for index in escaped.indices), *escaped.elsewhere]
    if places:
        yield f"markers of the prompt format {format.name} were escaped with a backslash in {', '.join(places)}"


def _simple_text(messages: Sequence[Message], prefill: str) -> str | None:
    """All that *messages* and *prefill* say, joined by NUL; None where there is more to them than texts."""
    contents = [message.content for message in messages]
    names = [message.name for message in messages if message.name]
    if any(message.extra or message.trusted for message in messages):
        return None
    try:
        return "\0".join([*contents, *names, prefill])  # type: ignore[list-item]  # what if not is below
    except TypeError:  # content parts, or none
        return None
