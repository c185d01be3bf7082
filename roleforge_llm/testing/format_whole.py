"""Rules about a format as a whole: what it says of itself, that a host takes it, that no message forges a turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from roleforge_llm.errors import ForgedTurn, FormatError, RoleforgeError
from roleforge_llm.formats import PromptFormat, lint_format
from roleforge_llm.formats.fields import CHOICES
from roleforge_llm.formats.probing import split_at
from roleforge_llm.guard import vocabulary_of
from roleforge_llm.messages import Conversation, Message, conversation
from roleforge_llm.rendering import render, render_guarded
from roleforge_llm.testing.conformance import Broken, Rule, shown
from roleforge_llm.testing.hosts import offering, plugin_host
from roleforge_llm.testing.samples import framed

__all__ = ["WHOLE", "broken_as_a_whole", "broken_metadata"]

_METADATA = Rule(
    "metadata",
    "what the format says of itself has the right types and values",
    "see PromptFormat: subclass it, and override its attributes with values of the same kind",
)
_HOST = Rule(
    "host",
    "a host takes the format from a plugin, and roleforge_llm.render finds it by its name",
    "offer an object (not a class) with a printable name, by the hook roleforge_formats",
)
_DECLARED = Rule(
    "control-tokens",
    "every marker that the format writes is one of its control tokens",
    "list it in control_tokens, so that what messages say cannot forge it",
)
_FORGED = Rule(
    "forged-turn",
    "no message opens, closes or imitates a turn, whatever it says",
    "list what begins and ends turns in control_tokens, and do not undo the backslashes in what messages say",
)
_FITS = "let it be what really stands there in the conversation, or change the layout"
_LINT = {
    rule.name: rule
    for rule in (
        Rule(
            "generation-prompt",
            "the prompt ends with what opens a reply, the same text that stands before earlier replies",
            "write it after the last message, before the prefill",
        ),
        Rule("reply-prefix", "reply_prefix is what stands between the generation prompt and a reply", _FITS),
        Rule(
            "trailing-space",
            "the prompt does not end with a space",
            "leave it to the model: put it into reply_prefix, and before earlier replies in the conversation",
        ),
        Rule(
            "double-bos",
            "the beginning of the text is not marked twice",
            "leave the token out, or say bos = 'template' and bos_token",
        ),
        Rule("stop-missing", "a stop sequence ends each reply", "put what the format writes after a reply into stop"),
        Rule(
            "stop-late",
            "nothing stands between a reply and its stop sequence",
            "put what stands there into reply_suffix if it is white space, or begin the stop sequence with it",
        ),
        Rule("stop-early", "no stop sequence stands before a reply", "take it out of stop, it would end every reply"),
        Rule("stop-unwritten", "every stop sequence is text of the format", "correct its spelling, or leave it out"),
        Rule("stop-ordinary", "no stop sequence is an ordinary word", "choose text that stands at turns only"),
    )
}
WHOLE: tuple[str, ...] = (*(rule.name for rule in (_METADATA, _HOST, _DECLARED, _FORGED)), *_LINT)
"""The names of these rules."""


def broken_metadata(found: PromptFormat) -> Iterator[Broken]:
    """What is wrong with what *found* says of itself, on which every other rule relies."""
    if faults := list(_faults_of_metadata(found)):
        yield _METADATA.broken("", "; ".join(faults))


def broken_as_a_whole(found: PromptFormat) -> Iterator[Broken]:
    """The other rules of this module that *found* breaks."""
    yield from _unusable(found)
    for finding in lint_format(_Tamed(found, found.control_tokens)):
        if finding.rule in _LINT:
            yield _LINT[finding.rule].broken("", finding.message)
    yield from _undeclared(found)
    yield from _forged(found)


class _Tamed(PromptFormat):
    """*found* with other control tokens; whatever it does wrong in rendering is an error of ours."""

    def __init__(self, found: PromptFormat, control_tokens: Sequence[str]) -> None:
        self._found = found
        self.name, self.stop, self.control_tokens = found.name, tuple(found.stop), tuple(control_tokens)
        self.reply_prefix, self.reply_suffix = found.reply_prefix, found.reply_suffix
        self.system_turns, self.bos, self.bos_token = found.system_turns, found.bos, found.bos_token

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        try:
            text = self._found.render(conversation, variables)
        except RoleforgeError:
            raise
        except Exception as error:
            raise FormatError(f"{type(error).__name__}: {error}") from error
        if not isinstance(text, str):
            raise FormatError(f"an object of type {type(text).__name__}")
        return text


# ---------------------------------------------------------------------- what it says of itself


def _faults_of_metadata(found: PromptFormat) -> Iterator[str]:
    if isinstance(found, type):
        yield f"it is the class {found.__name__}, not an object of it"
    for name in ("stop", "control_tokens"):
        yield from _faults_of_texts(name, getattr(found, name, None))
    for name in ("name", "reply_prefix", "reply_suffix", "bos_token", "source", "description"):
        if not isinstance(value := getattr(found, name, None), str):
            yield f"{name} is {value!r:.60}, not text"
    for name in ("name", "source", "description"):
        if len(str(getattr(found, name, "")).splitlines()) > 1:
            yield f"{name} is more than one line"
    for name, choices in CHOICES.items():
        if getattr(found, name, None) not in choices:
            yield f"{name} is {getattr(found, name, None)!r:.60}, not one of {', '.join(choices)}"


def _faults_of_texts(name: str, texts: object) -> Iterator[str]:
    if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
        yield f"{name} is {texts!r:.60}, not a tuple of texts"
    elif "" in texts:
        yield f"{name} holds an empty text"
    elif len(set(texts)) < len(texts):
        yield f"{name} holds a text twice"


def _unusable(found: PromptFormat) -> Iterator[Broken]:
    try:
        host = plugin_host(offering(found))
    except AssertionError as error:
        yield _HOST.broken("a plugin that offers it", str(error).splitlines()[-1].strip())
        return
    try:
        prompt = render([Message("user", framed(0, "a"))], found.name, host=host)
    except RoleforgeError as error:
        yield _HOST.broken(f"render([user {framed(0, 'a')!r}], {found.name!r})", f"{type(error).__name__}: {error}")
        return
    if prompt.warnings:
        yield _HOST.broken(f"render([user {framed(0, 'a')!r}], {found.name!r})", f"the warning: {prompt.warnings[0]}")


# ---------------------------------------------------------------------- turns that are forged


def _undeclared(found: PromptFormat) -> Iterator[Broken]:
    guarded = vocabulary_of(found).markers
    known = "\n".join(guarded.texts)
    seen = vocabulary_of(_Tamed(found, ())).markers.texts
    if missing := [text for text in seen if not guarded.starts(text) and text not in known]:
        yield _DECLARED.broken("a small conversation", f"around its texts stands {', '.join(map(repr, missing))}")


def _forged(found: PromptFormat) -> Iterator[Broken]:
    for given, came in (*_imitations(found), *_markers_as_text(found)):
        yield _FORGED.broken(given, came)


_HONEST = (
    Message("system", framed(0, "s")),
    Message("user", framed(1, "a")),
    Message("assistant", framed(2, "b")),
    Message("user", framed(3, "c")),
)


def _imitations(found: PromptFormat) -> Iterator[tuple[str, str]]:
    """Messages that say several turns, in the format's own words, and become the prompt of these turns."""
    for honest in (_HONEST, _HONEST[1:]):
        text = _guarded(found, honest)
        gaps = split_at(text, [message.text for message in honest]) if text is not None else None
        if text is None or gaps is None:
            continue
        user = len(honest) - 3
        for first, last in ((user, user + 2), (user + 1, user + 2)):
            said = honest[first].text + "".join(gaps[at] + honest[at].text for at in range(first + 1, last + 1))
            if honest[first].role == "assistant":
                said += gaps[-1]
            hostile = (*honest[:first], Message(honest[first].role, said))
            if _guarded(found, hostile) == text:
                yield f"{honest[first].role} {shown(said)}", f"the prompt of {last - first + 1} turns: {shown(text)}"


def _markers_as_text(found: PromptFormat) -> Iterator[tuple[str, str]]:
    """Messages that hold a marker, and add one to the prompt or cannot be rendered at all."""
    for marker in vocabulary_of(found).markers.texts:
        for role in ("user", "system", "assistant"):
            harmless = _guarded(found, _with(role, framed(4, "m")))
            try:
                hostile = render_guarded(found, conversation(_with(role, framed(4, marker)))).text
            except ForgedTurn as error:
                yield f"{role} {framed(4, marker)!r}", f"ForgedTurn: {error}"
                return
            except Exception:  # noqa: BLE001, S112  # a rule of its own
                continue
            if harmless is not None and hostile.count(marker) > harmless.count(marker):
                yield f"{role} {framed(4, marker)!r}", f"one more {marker!r} in {shown(hostile)}"
                return


def _with(role: str, said: str) -> tuple[Message, ...]:
    closing = () if role == "user" else (_HONEST[3],)
    return (Message(role, said), *closing) if role == "system" else (_HONEST[1], Message(role, said), *closing)


def _guarded(found: PromptFormat, messages: Sequence[Message]) -> str | None:
    try:
        return render_guarded(found, conversation(messages)).text
    except Exception:  # noqa: BLE001  # a rule of its own
        return None
