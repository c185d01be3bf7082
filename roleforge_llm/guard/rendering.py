"""Rendering in which no content can open, close or imitate a turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import attrs

from roleforge_llm.errors import ForgedTurn
from roleforge_llm.formats import PromptFormat, TemplateFormat
from roleforge_llm.formats.shapes import shape
from roleforge_llm.guard.markers import Markers
from roleforge_llm.guard.skeleton import Render, each_text, markers_around
from roleforge_llm.guard.vocabulary import Vocabulary, vocabulary_of
from roleforge_llm.messages import Conversation, Message

__all__ = ["ForgedTurns", "Guarded", "guarded"]

ForgedTurns: TypeAlias = Literal["escape", "reject"]


@attrs.frozen
class Guarded:
    """A prompt's *text*, and for each place where something had to be escaped for it, a line that says so."""

    text: str
    escaped: tuple[str, ...] = ()


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
    whole = _simple_text(conversation)
    if whole is not None and vocabulary.closed and not varied and not vocabulary.markers.may_begin_in(whole):
        return Guarded(render(conversation))
    escaped: tuple[str, ...] = ()
    if whole is None or vocabulary.markers.starts(whole):
        original, conversation = conversation, _escaped(format, conversation, received, vocabulary)
        escaped = _notes(format, original, conversation, received, vocabulary)
        if escaped and forged_turns == "reject":
            raise ForgedTurn(f"{escaped[0]}, which forgedTurns = 'reject' refuses")
    text = render(conversation)
    _check(format, text, markers_around(format, conversation, received, render if varied else None))
    return Guarded(text, escaped)


def _check(format, text, expected):
    found = vocabulary_of(format).replies.sequence(text)


def _simple_text(conversation: Conversation) -> str | None:
    """All that the messages say, joined as formats join them; None where there is more to them than texts."""
    texts = []
    for message in conversation.messages:
        if message.trusted or message.extra or not isinstance(message.content, str):
            return None
        texts.append(message.content)
        if message.name:
            texts.append(message.name)
    texts.append(conversation.prefill)
    return "\n".join(texts)
