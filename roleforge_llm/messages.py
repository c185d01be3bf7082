"""Messages, and what every conversation must keep to before anything is rendered or sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs

from roleforge_llm.errors import MessageError
from roleforge_llm.prefixes import LEAST, Known, Prefixes, worth

__all__ = ["ROLES", "Conversation", "Message", "MessageLike", "Prompt", "conversation"]

ROLES = ("system", "user", "assistant", "developer", "tool")

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@attrs.frozen
class Message:
    """One message of a conversation.

    *role* says who speaks: system, user or assistant; chat endpoints and hf templates also take developer and tool.
    *content* is text; chat endpoints and hf templates also take None (beside ``tool_calls``) and a list of
    content parts. *name* is the speaker. *extra* keeps every other field of OpenAI's message
    (``tool_calls``, ``tool_call_id`` ...) as it came. *trusted* says that the content may hold markers of
    turns: it goes into prompts as it stands. It is never sent, and only code can set it.
    """

    role: str
    content: str | Sequence[Json] | None = ""
    name: str | None = None
    extra: Mapping[str, Json] = attrs.field(factory=dict)
    trusted: bool = False

    def __hash__(self) -> int:
        # Content parts and further fields are lists and dicts, which have no hash; equal messages agree in these.
        return hash((self.role, self.text, self.name, self.trusted))

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Message:
        """Read OpenAI's form; unknown fields are kept in ``extra``."""
        rest = {key: value for key, value in data.items() if key not in {"role", "content", "name"}}
        return cls(
            role=data.get("role"),  # type: ignore[arg-type]  # conversation() checks what came from outside
            content=data.get("content"),  # type: ignore[arg-type]  # as above
            name=data.get("name"),  # type: ignore[arg-type]  # as above
            extra=rest,  # type: ignore[arg-type]  # as above
        )

    def to_dict(self) -> dict[str, Json]:
        """OpenAI's form of this message."""
        data: dict[str, Json] = {"role": self.role, "content": self.content}
        if self.name is not None:
            data["name"] = self.name
        data.update(self.extra)
        return data

    @property
    def text(self) -> str:
        """The content as text; empty where the content is no text."""
        return self.content if isinstance(self.content, str) else ""


MessageLike: TypeAlias = Message | Mapping[str, object]


@attrs.frozen
class Conversation:
    """A checked conversation: *messages* without the trailing assistant turn, and that turn as *prefill*.

    *trusted_prefill* says that all of the prefill is from trusted messages.
    """

    messages: tuple[Message, ...]
    prefill: str = ""
    trusted_prefill: bool = False


@attrs.frozen
class Prompt:
    """What a format made of a conversation.

    *text* ends where the model goes on, with the prefill if there is one; *stop* are the format's stop
    sequences; *format* is the name of the format that was really used, *warnings* says
    what differs from what was asked for.
    """

    text: str
    stop: tuple[str, ...]
    format: str
    warnings: tuple[str, ...] = ()


def conversation(messages: Iterable[MessageLike], prefill: str = "") -> Conversation:
    """Check *messages* and split off the trailing assistant messages (joined by a newline) as the prefill.

    Raises :class:`MessageError`, naming the index, for an empty conversation, an unknown role, a content
    of the wrong type, and for text with NUL or a lone surrogate, which no server can take.
    """
    checked = _all_checked(_listed(messages))
    if not checked:
        raise MessageError("the conversation is empty; give at least one message")
    _check_text(prefill, "the prefill", None)
    tail: list[Message] = []
    while checked and _is_prefill(checked[-1]):
        tail.insert(0, checked.pop())
    if prefill:
        tail.append(Message("assistant", prefill))
    trusted = bool(tail) and all(message.trusted for message in tail)
    return Conversation(tuple(checked), "\n".join(message.text for message in tail), trusted)


def _listed(messages: Iterable[MessageLike]) -> list[MessageLike]:
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise MessageError(f"messages must be a list of messages, not {type(messages).__name__}")
    return list(messages)


def _all_checked(messages: list[MessageLike]) -> list[Message]:
    """*messages*, read and checked; those that an earlier conversation began with, too, are not checked again."""
    if len(messages) < LEAST:
        return _newly_checked(messages, 0)
    count, known = _earlier(messages)
    new = _newly_checked(messages[count:], count)
    checked = [*known.value[:count], *new] if known else new
    if new:
        _remember(worth(count, messages), checked, count, known)
    return checked


def _remember(
    messages: Sequence[MessageLike], checked: Sequence[Message], count: int, known: Known[tuple[Message, ...]] | None
) -> None:
    """Remember what *messages* were read as, the first *count* as they are *known*."""
    new = messages[count:]
    if all(map(_lasts, new, checked[count:])):
        items = [*(known.items[:count] if known else ()), *map(_copied, new)]
        size = sum([len(message.text) for message in checked[count : len(messages)]], known.size if known else 0)
        _before.keep(Known(None, items, tuple(checked[: len(messages)]), size), known, count)


_before: Prefixes[tuple[Message, ...]] = Prefixes()
"""Messages as they came, and what they were read as."""


def _earlier(messages: Sequence[MessageLike]) -> tuple[int, Known[tuple[Message, ...]] | None]:
    try:
        return _before.find(None, messages)
    except Exception:  # noqa: BLE001  # foreign objects, which checking refuses
        return 0, None


def _lasts(message: MessageLike, checked: Message) -> bool:
    """Whether a copy of *message* stays what it is: nothing in it but texts."""
    return type(message) in {dict, Message} and type(checked.content) is str and not checked.extra


def _copied(message: MessageLike) -> MessageLike:
    return message if isinstance(message, Message) else dict(message)


def _newly_checked(messages: Sequence[MessageLike], start: int) -> list[Message]:
    """*messages*, read and checked; the first has the index *start*."""
    checked = [
        Message(message["role"], message["content"])
        if type(message) is dict
        and len(message) == 2
        and type(message.get("content")) is str
        and message.get("role") in ROLES  # nearly every message, which no function is called for
        else _checked(index, message)
        for index, message in enumerate(messages, start)
    ]
    _check_texts(checked, start)
    return checked


def _is_prefill(message: Message) -> bool:
    return message.role == "assistant" and isinstance(message.content, str) and not message.extra.get("tool_calls")


def _checked(index: int, message: MessageLike) -> Message:
    """A message of the right types; what its texts hold is checked for all messages together."""
    message = _read(index, message)
    if message.role not in ROLES:
        raise MessageError(f"unknown role {message.role!r:.60}; known roles: {', '.join(ROLES)}", index)
    if type(message.content) is not str:
        _check_content(index, message)
    if message.name is not None:
        _check_name(message.name, index)
    return message


def _read(index: int, message: MessageLike) -> Message:
    if isinstance(message, Message):
        return message
    if not isinstance(message, Mapping):
        raise MessageError(f"must be a Message or a dict with role and content, not {type(message).__name__}", index)
    if "trusted" in message:
        raise MessageError("trusted is no part of a message from outside; use Message(..., trusted=True)", index)
    return Message.from_dict(message)


def _check_name(name: str, index: int) -> None:
    _check_text(name, "name", index)
    if len(name.splitlines()) > 1 or name != name.rstrip("\r\n"):
        raise MessageError("name must be a single line", index)


def _check_content(index: int, message: Message) -> None:
    content = message.content
    if content is None:
        if not message.extra:
            raise MessageError("content is missing", index)
    elif not isinstance(content, (str, list, tuple)):
        raise MessageError(f"content must be text or a list of parts, not {type(content).__name__}", index)
    elif not isinstance(content, str):
        for part in content:
            if not isinstance(part, Mapping):
                raise MessageError(f"a content part must be an object, not {type(part).__name__}", index)


def _check_texts(messages: Sequence[Message], start: int) -> None:
    """Check all texts at once, and one by one only to say which is wrong."""
    try:
        whole = "".join([message.content for message in messages])  # type: ignore[misc]  # nearly always text alone
    except TypeError:
        whole = "".join([text for message in messages for text in _texts(message)])
    if _fault_of(whole) is not None:
        for index, message in enumerate(messages, start):
            for text in _texts(message):
                _check_text(text, "content", index)


def _texts(message: Message) -> Iterable[str]:
    content = message.content
    if isinstance(content, str):
        return (content,)
    parts = (part.get("text") for part in content or () if isinstance(part, Mapping))
    return [text for text in parts if isinstance(text, str)]


def _check_text(text: str, what: str, index: int | None) -> None:
    if not isinstance(text, str):
        raise MessageError(f"{what} must be text, not {type(text).__name__}", index)
    if (fault := _fault_of(text)) is not None:
        raise MessageError(f"{what} contains {fault}", index)


def _fault_of(text: str) -> str | None:
    if "\0" in text:
        return f"NUL at character {text.index(chr(0))}"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"a lone surrogate at character {error.start}"
    return None
