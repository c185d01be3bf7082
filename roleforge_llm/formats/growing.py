"""Rendering a conversation that goes on: what was laid out for an earlier state of it is used again.

Only where the bytes are certain to be the same: the template is resumable (see :mod:`roleforge_llm.sandbox.resuming`),
and each message is a turn of its own, whatever follows it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import attrs

from roleforge_llm.errors import TemplateError
from roleforge_llm.formats.shapes import Turn, laid_out, turns_of
from roleforge_llm.messages import Conversation
from roleforge_llm.prefixes import LEAST, Known, Prefixes

if TYPE_CHECKING:
    from roleforge_llm.formats.template import TemplateFormat
    from roleforge_llm.sandbox import Plain, Resumable

__all__ = ["rendered_further"]


@attrs.frozen(eq=False)
class _Laid:
    """The turns of a conversation, and the *passes* of the template's loop for those that are *chosen* ("1")."""

    turns: list[Turn]
    chosen: str
    passes: list[str]


_laid: Prefixes[_Laid] = Prefixes(operator.is_)


def rendered_further(form: TemplateFormat, conversation: Conversation) -> str | None:
    """The prompt of *conversation* in a native format; None where it must be rendered as a whole."""
    from roleforge_llm.sandbox import resumable

    if len(conversation.messages) < LEAST:
        return None
    try:
        template = resumable(form.text, form.title)
        return None if template is None else _rendered(form, template, conversation)
    except TemplateError:  # told with its line when all is rendered
        return None


def _rendered(form: TemplateFormat, template: Resumable, conversation: Conversation) -> str | None:
    messages = conversation.messages
    count, known = _laid.find(form, messages)
    if known is None or count < LEAST:
        _laid.keep(Known(form, messages[:LEAST], _Laid([], "", []), 0), known, count)
        return None
    turns = known.value.turns[:count]
    new = turns_of(messages, len(turns), form.system_turns)
    if new is None or _holds_nul(conversation.prefill, new):
        return None
    turns += new
    is_opened = turns[0]["role"] == "system"
    shape = laid_out(turns, is_opened=is_opened)
    looped = shape[template.turns]
    # Where the loop goes through the history alone, an opening system message has no pass.
    chosen = known.value.chosen[: min(count - (is_opened and template.turns == "history"), len(looped))]
    passes = known.value.passes[: chosen.count("1")]
    variables = {**form.tokens(), **cast("dict[str, Plain]", shape), "assistant_message": conversation.prefill}
    made = template.render(variables, looped[len(chosen) :], len(passes))
    passes += made.passes
    text = "".join([made.before, *passes, made.after])
    _laid.keep(Known(form, messages, _Laid(turns, chosen + made.chosen, passes), len(text)), known, count)
    return text


def _holds_nul(prefill: str, turns: Sequence[Turn]) -> bool:
    """Whether there is a text that no checked conversation has, with what separates the pieces in it."""
    return "\0" in prefill or any("\0" in turn["content"] for turn in turns)
