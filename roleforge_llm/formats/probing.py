"""What a format puts around the texts of messages, found by rendering marked texts."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import attrs

from roleforge_llm.errors import RoleforgeError
from roleforge_llm.formats.base import PromptFormat
from roleforge_llm.messages import Conversation, Message

__all__ = ["Ending", "Surroundings", "ending_of", "marked", "probe", "split_at"]

_TOKEN_SHAPED = r"<[^<>\s]{1,60}>|\[/?[A-Z_]{2,30}\]"  # noqa: S105  # a marker, no password
_TURNS = ("user", "assistant", "user", "assistant", "user")


@attrs.frozen
class Surroundings:
    """The text around the contents of messages.

    *before_reply* stands before the first of the assistant's, *after_reply* is what follows each of them alike, and
    *closing* stands after the last message: the generation prompt. What *before_reply* has beyond it is what the
    model writes itself.
    """

    before_reply: str
    after_reply: str
    closing: str

    @property
    def reply_prefix(self) -> str:
        """White space that the model writes between the prompt and its reply."""
        rest = self.before_reply.removeprefix(self.closing)
        return rest if self.before_reply.startswith(self.closing) and rest.isspace() else ""


@attrs.frozen
class Ending:
    """How a reply ends: the stop sequences, and the white space that the model writes before them."""

    stop: tuple[str, ...] = ()
    reply_suffix: str = ""


def marked(*roles: str) -> tuple[Message, ...]:
    """A conversation of *roles* whose contents no template contains or changes."""
    return tuple(Message(role, f"zq{role}{'abcdefgh'[index]}qz") for index, role in enumerate(roles))


def split_at(text: str, contents: Sequence[str]) -> list[str] | None:
    """What stands before, between and after *contents* in *text*; None unless each is there once and in order."""
    parts = []
    for content in contents:
        if text.count(content) > 1:
            return None
        before, found, text = text.partition(content)
        if not found:
            return None
        parts.append(before)
    return [*parts, text]


def probe(found: PromptFormat) -> Surroundings | None:
    """The surroundings of *found*; None where it refuses the conversation, or does not show it as it is."""
    messages = marked(*_TURNS)
    try:
        text = found.render(Conversation(messages))
    except RoleforgeError:
        return None
    parts = split_at(text, [message.text for message in messages])
    if parts is None:
        return None
    # Some formats number their turns, so what follows one reply is not wholly what follows the next.
    return Surroundings(parts[1], _shared(parts[2], parts[4]), parts[-1])


def _shared(one: str, other: str) -> str:
    """What the two begin with."""
    parted = (at for at, (mine, yours) in enumerate(zip(one, other, strict=False)) if mine != yours)
    return one[: next(parted, min(len(one), len(other)))]


def ending_of(around: Surroundings | None, eos_token: str = "", tokens: Collection[str] = ()) -> Ending:
    """How replies end in a format with these surroundings.

    The marker that follows a reply and the one that opens the user's next turn are stop sequences: tokens of the
    model or texts of their shape, else a line's beginning such as ``USER:``. *eos_token* is one where
    no marker is found, or where the template writes it.
    """
    after = around.after_reply if around is not None else ""
    shape = "|".join([*map(re.escape, sorted(filter(None, tokens), key=len, reverse=True)), _TOKEN_SHAPED])
    space, end, rest = _first_marker(after, shape)
    _, opener, _ = _first_marker(rest, shape)
    eos = eos_token if not end or eos_token in after else ""
    return Ending(tuple(dict.fromkeys(filter(None, (end, opener, eos)))), space if end else "")


def _first_marker(text: str, shape: str) -> tuple[str, str, str]:
    """The white space before the first marker of *text*, the marker ("" for none), and the rest.

    A marker made of words counts at the beginning of a line only, and the newline before it belongs to it.
    """
    words = text.lstrip()
    space = text[: len(text) - len(words)]
    if token := re.match(shape, words):
        return space, token[0], words[token.end() :]
    before, newline, indent = space.rpartition("\n")
    line, _, rest = words.partition("\n")
    return (before, f"{newline}{indent}{line.rstrip()}", rest) if newline and line else (space, "", "")
