"""Escaping the markers in a conversation, and saying where they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from roleforge_llm.errors import ForgedTurn
from roleforge_llm.formats import PromptFormat, TemplateFormat
from roleforge_llm.formats.shapes import shape
from roleforge_llm.guard.texts import changed
from roleforge_llm.guard.vocabulary import Vocabulary
from roleforge_llm.messages import Conversation, Message

__all__ = ["Escaped", "escape_conversation"]


@attrs.frozen
class Escaped:
    """A *conversation* without markers, and the indices of the messages that held some.

    *elsewhere* names what else did: the prefill, or messages that form a marker only when they are joined.
    """

    conversation: Conversation
    indices: tuple[int, ...]
    elsewhere: tuple[str, ...]


def escape_conversation(
    format: PromptFormat,  # noqa: A002  # the word for it everywhere else, too
    conversation: Conversation,
    received: str,
    vocabulary: Vocabulary,
) -> Escaped:
    """Escape all that is not trusted. *received*, the end of the prefill, is the model's own.

    Raises :class:`ForgedTurn` for a name that holds a marker: it says who speaks, and is not text to be escaped.
    """
    messages = conversation.messages
    _check_names(format, messages, vocabulary)
    safe = [_escaped(message, vocabulary) for message in messages]
    indices = tuple(index for index, pair in enumerate(zip(messages, safe, strict=True)) if pair[0] != pair[1])
    elsewhere = []
    if isinstance(format, TemplateFormat) and format.dialect == "native" and not _any_trusted(messages):
        turns = _turns(format, messages)
        safe = [_escaped(turn, vocabulary) for turn in turns]
        if safe != turns and not indices:
            elsewhere.append("messages that are joined to one turn")
    given = conversation.prefill.removesuffix(received)
    if (prefill := vocabulary.replies.escape(given)) != given:
        elsewhere.append("the prefill")
    return Escaped(Conversation(tuple(safe), prefill + received), indices, tuple(elsewhere))


def _check_names(
    format: PromptFormat,  # noqa: A002  # as above
    messages: Iterable[Message],
    vocabulary: Vocabulary,
) -> None:
    for index, message in enumerate(messages):
        if message.name and not message.trusted and vocabulary.markers.starts(message.name):
            raise ForgedTurn(
                f"the name {message.name!r:.60} holds a marker of the prompt format {format.name!r}; use another name",
                index,
            )


def _escaped(message: Message, vocabulary: Vocabulary) -> Message:
    if message.trusted:
        return message
    escape = (vocabulary.replies if message.role == "assistant" else vocabulary.markers).escape
    if isinstance(message.content, str) and not message.extra:
        text = escape(message.content)
        return message if text == message.content else attrs.evolve(message, content=text)
    return changed(message, escape, escape, keys=True)


def _any_trusted(messages: Iterable[Message]) -> bool:
    return any(message.trusted for message in messages)


def _turns(format: TemplateFormat, messages: Sequence[Message]) -> list[Message]:  # noqa: A002  # as above
    """*messages* as the format joins them, since a marker may begin in one and end in the next."""
    turns = shape(messages, format.system_turns)["messages"]
    return [Message.from_dict(turn) for turn in turns if isinstance(turn, dict)]
