"""What a format puts around a conversation of some shape, whatever the messages say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import attrs

from roleforge_llm.formats import PromptFormat, TemplateFormat
from roleforge_llm.guard.texts import changed
from roleforge_llm.guard.vocabulary import vocabulary_of
from roleforge_llm.messages import Conversation, Message

__all__ = ["Render", "markers_around"]

Render = Callable[[Conversation], str]
"""A format's rendering, with the variables in it."""


def markers_around(
    format: PromptFormat,  # noqa: A002  # the word for it everywhere else, too
    conversation: Conversation,
    received: str,
    render: Render | None,
) -> tuple[Sequence[int], ...]:
    """The markers that *format* itself emits for a conversation like *conversation*.

    *received* is the part of the prefill that the model wrote, which is left as it is. *render* is None where
    the format is a template without variables; then conversations of one shape share the answer.
    """
    neutral = _Neutral()
    given = neutral(conversation.prefill.removesuffix(received))
    if render is None and isinstance(format, TemplateFormat) and not received and _is_simple(conversation.messages):
        shape = tuple((message.role, neutral(message.text)) for message in conversation.messages)
        return _of_shape(format, shape, given)
    messages = tuple(_like(message, neutral) for message in conversation.messages)
    text = (render or format.render)(Conversation(messages, given + received))
    return vocabulary_of(format).replies.sequence(text)


@lru_cache(maxsize=64)
def _of_shape(
    format: TemplateFormat,  # noqa: A002  # as above
    shape: tuple[tuple[str, str], ...],
    prefill: str,
) -> tuple[Sequence[int], ...]:
    text = format.render(Conversation(tuple(Message(role, content) for role, content in shape), prefill))
    return vocabulary_of(format).replies.sequence(text)


def _is_simple(messages: Sequence[Message]) -> bool:
    return not any(
        message.extra or message.trusted or message.name or not isinstance(message.content, str) for message in messages
    )


class _Neutral:
    """Gives for each text one that templates treat like it.

    Blank or not, the same as another one or not, and ending in a word, in a space, or not: how it ends decides
    whether a word that the format puts right behind it stands at the beginning of a word.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, text: str) -> str:
        if not (said := text.rstrip()):
            return text
        number = self._numbers.setdefault(text, len(self._numbers))
        return f"x{number}{'' if said[-1].isalnum() or said[-1] == '_' else '.'}{' ' if said != text else ''}"


def _masked(text: str) -> str:
    """*text* with its words and spaces, for fields of which templates want more than that they are there."""
    return "".join(character if character.isalnum() or character.isspace() else "x" for character in text)


def _like(message: Message, neutral: Callable[[str], str]) -> Message:
    if message.trusted:
        return message
    return changed(attrs.evolve(message, name=message.name and _masked(message.name)), neutral, _masked)
