"""Messages, and what every conversation must keep to before anything is rendered or sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import attrs

from roleforge_llm.errors import MessageError

__all__ = ["ROLES", "Conversation", "Message", "MessageLike", "Prompt", "conversation"]

ROLES = ("system", "user", "assistant", "developer", "tool")

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@attrs.frozen
class Message:
    """One message of a conversation.

    *content* is text; chat endpoints and hf templates also take None (beside ``tool_calls``) and a list of
    content parts. *name* is the speaker. *extra* keeps every other field of OpenAI's message
    (``tool_calls``, ``tool_call_id`` ...) as it came.
    """

    role: str
    content: str | Sequence[Json] | None = ""
    name: str | None = None
    extra: Mapping[str, Json] = attrs.field(factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Message:
        """Read OpenAI's form; unknown fields are kept in ``extra``."""
        rest = {key: value for key, value in data.items() if key not in {"role", "content", "name"}}
        return cls(
            role=data.get("role"),  # type: ignore[arg-type]  # conversation() checks what came from outside
            content=data.get("content"),  # type: ignore[arg-type]
            name=data.get("name"),  # type: ignore[arg-type]
            extra=rest,  # type: ignore[arg-type]
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
    """A checked conversation: *messages* without the trailing assistant turn, and that turn as *prefill*."""

    messages: tuple[Message, ...]
    prefill: str = ""


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
    checked = [_checked(index, message) for index, message in enumerate(_listed(messages))]
    if not checked:
        raise MessageError("the conversation is empty; give at least one message")
    _check_text(prefill, "the prefill", None)
    tail: list[str] = []
    while checked and _is_prefill(checked[-1]):
        tail.insert(0, checked.pop().text)
    if prefill:
        tail.append(prefill)
    return Conversation(tuple(checked), "\n".join(tail))


def _listed(messages: Iterable[MessageLike]) -> list[MessageLike]:
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise MessageError(f"messages must be a list of messages, not {type(messages).__name__}")
    return list(messages)


def _is_prefill(message: Message) -> bool:
    return message.role == "assistant" and isinstance(message.content, str) and not message.extra.get("tool_calls")


def _checked(index: int, message: MessageLike) -> Message:
    if isinstance(message, Mapping):
        message = Message.from_dict(message)
    elif not isinstance(message, Message):
        raise MessageError(f"must be a Message or a dict with role and content, not {type(message).__name__}", index)
    if message.role not in ROLES:
        raise MessageError(f"unknown role {message.role!r:.60}; known roles: {', '.join(ROLES)}", index)
    _check_content(index, message)
    if message.name is not None:
        if not isinstance(message.name, str):
            raise MessageError(f"name must be text, not {type(message.name).__name__}", index)
        _check_text(message.name, "name", index)
    return message


def _check_content(index: int, message: Message) -> None:
    content = message.content
    if isinstance(content, str):
        _check_text(content, "content", index)
    elif content is None:
        if not message.extra:
            raise MessageError("content is missing", index)
    elif not isinstance(content, (list, tuple)):
        raise MessageError(f"content must be text or a list of parts, not {type(content).__name__}", index)
    else:
        for part in content:
            if not isinstance(part, Mapping):
                raise MessageError(f"a content part must be an object, not {type(part).__name__}", index)
            if isinstance(text := part.get("text"), str):
                _check_text(text, "content", index)


def _check_text(text: str, what: str, index: int | None) -> None:
    if not isinstance(text, str):
        raise MessageError(f"{what} must be text, not {type(text).__name__}", index)
    if "\0" in text:
        raise MessageError(f"{what} contains NUL at character {text.index(chr(0))}", index)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MessageError(f"{what} contains a lone surrogate at character {error.start}", index) from None
