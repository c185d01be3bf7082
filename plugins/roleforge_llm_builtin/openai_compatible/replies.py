"""Reading a whole reply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from roleforge_llm.backends import Completion
from roleforge_llm.errors import BackendError, BadReply, StreamBroken
from roleforge_llm.transport import Call, repair_surrogates, string_of
from roleforge_llm_builtin.openai_compatible.fields import (
    NO_FINISH,
    REPAIRED,
    check_not_html,
    content_of,
    document_of,
    finish_of,
    reasoning_of,
    usage_of,
)
from roleforge_llm_builtin.openai_compatible.tool_calls import listed

__all__ = ["unread", "whole_reply"]


def unread(error: BackendError) -> BackendError:
    """The error for a reply that broke off before anything of it could be used."""
    if not isinstance(error, StreamBroken):
        return error
    return BadReply(error.message, kind="unreadable", status=error.status, request_id=error.request_id)


def whole_reply(data: bytes, call: Call) -> Completion:
    """The completion in the body *data*, from either endpoint. Raises :class:`BackendError`."""
    check_not_html(data, call, "html")
    document, choice = document_of(data, call)
    message = _message(choice) if choice is not None else None
    if choice is None or message is None:
        raise BadReply(f"the reply of {call.origin} has no choice to read; check baseURL and endpoint", kind="shape")
    content = content_of(message.get("content"))
    if content is None and message.get("content") is not None:
        raise BadReply(f"the reply of {call.origin} has a content that is no text", kind="shape")
    text, reasoning = repair_surrogates(content or ""), repair_surrogates(reasoning_of(message))
    finish = finish_of(choice)
    repaired = text != (content or "") or reasoning != reasoning_of(message)
    return Completion(
        text=text,
        finish_reason=finish,
        model=string_of(document, "model"),
        usage=usage_of(document),
        reasoning=reasoning,
        tool_calls=listed(message.get("tool_calls")),
        warnings=tuple(_warnings(finish, repaired=repaired)),
        raw=document,
    )


def _message(choice: Mapping[str, object]) -> Mapping[str, object] | None:
    message = choice.get("message")
    if isinstance(message, Mapping):
        return message
    # The completions endpoint: what chat calls content is called text and stands beside the finish reason.
    return {**choice, "content": choice["text"]} if isinstance(choice.get("text"), str) else None


def _warnings(finish: str | None, *, repaired: bool) -> Iterator[str]:
    if finish is None:
        yield NO_FINISH
    if repaired:
        yield REPAIRED
