"""Telling a format that shows nothing of what the messages say, which would lose a conversation in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from roleforge_llm.errors import RoleforgeError
from roleforge_llm.formats.base import PromptFormat
from roleforge_llm.formats.template import TemplateFormat
from roleforge_llm.messages import Conversation, Json, Message

__all__ = ["silence_of"]


def silence_of(
    format: PromptFormat,  # noqa: A002  # the word for it everywhere else, too
    conversation: Conversation,
    text: str,
    render: Callable[[Conversation], str],
) -> str | None:
    """What to tell of *text*, the rendering of *conversation*, if it shows none of the messages' texts; else None.

    A format may change texts (their case, their white space), so a text that is not found as it is proves nothing:
    then *render*, the rendering of *format*, is asked whether other texts would make another prompt.
    """
    messages = conversation.messages
    if any(said in text for message in messages if (said := message.text.strip())):
        return None
    others = tuple(map(_other, messages))
    if others == messages:  # nothing is said
        return None
    try:
        silent = render(attrs.evolve(conversation, messages=others)) == text
    except RoleforgeError:  # the texts decide whether it renders at all
        return None
    return f"the prompt format {format.name!r} shows none of the messages' text; {_advice(format)}" if silent else None


def _other(message: Message) -> Message:
    """*message* with other words in the place of each of its texts."""
    content = message.content
    if content is None or isinstance(content, str):
        return attrs.evolve(message, content=_changed(content or ""))
    return attrs.evolve(message, content=[_other_part(part) for part in content])


def _other_part(part: Json) -> Json:
    if isinstance(part, Mapping) and isinstance(said := part.get("text"), str):
        return {**part, "text": _changed(said)}
    return part


def _changed(text: str) -> str:
    return f"zq {text} qz" if text.strip() else text


def _advice(format: PromptFormat) -> str:  # noqa: A002  # as above
    from roleforge_llm.formats.metadata import misspelt_variable

    if isinstance(format, TemplateFormat) and (near := misspelt_variable(format.text)) is not None:
        return f"it reads {near[0]}, did you mean {near[1]}?"
    return "a template shows them with system_prompt, history and user_message, or with messages"
