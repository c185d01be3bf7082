"""Reading what ``/completion`` answers: a whole reply, or the last event of a streamed one. No I/O.

Source: the README of llama.cpp's server, "POST /completion", and its answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from roleforge_llm import BackendError, BadReply, Completion, StreamBroken, Usage
from roleforge_llm.transport import Call, error_of, object_failure, read_json, repair_surrogates, string_of

__all__ = ["Expected", "answer_of", "completion_of", "count_of", "document_of", "unread", "whole_reply"]

_FINISH = {"eos": "stop", "word": "stop", "limit": "length"}

_NO_FINISH = "the server did not say why the reply ended"
_TRUNCATED = "the context was full before the reply had ended (llama.cpp says truncated)"
_NOT_JSON = "the reply is not the JSON that was asked for; the server does not say why (it may not support the schema)"


@attrs.frozen
class Expected:
    """What the reply to *body* must keep to; llama.cpp says nothing where it does not."""

    slot: int | None = None
    is_json: bool = False

    @classmethod
    def of(cls, body: Mapping[str, object], *, continues: bool = False) -> Expected:
        """For the request *body*; a reply that *continues* a prefill is no JSON by itself."""
        slot = body.get("id_slot")
        slot = slot if isinstance(slot, int) and slot >= 0 else None
        return cls(slot, is_json="json_schema" in body and not continues)

    def warnings(self, document: Mapping[str, object], text: str) -> Iterator[str]:
        """What is odd about the reply *document*, whose whole text is *text*."""
        if document.get("truncated") is True:
            yield _TRUNCATED
        found = document.get("id_slot")
        if self.slot is not None and isinstance(found, int) and found != self.slot:
            yield f"slot {self.slot} was asked for and slot {found} answered; the server has no such slot"
        if self.is_json and _finish_of(document) == "stop" and not _is_json(text):
            yield _NOT_JSON
        if _finish_of(document) is None:
            yield _NO_FINISH


def whole_reply(data: bytes, expected: Expected, call: Call) -> Completion:
    """The completion in the body *data*. Raises :class:`BackendError`."""
    return completion_of(document_of(data, call), expected, call)


def answer_of(data: bytes, call: Call) -> object:
    """The JSON in the body *data*. Raises :class:`BadReply`."""
    if data.lstrip()[:1] == b"<":
        message = f"{call.origin} sent a web page, not a reply; check baseURL, or log in if a portal is in between"
        raise BadReply(message, kind="html")
    return read_json(data)


def document_of(data: bytes, call: Call) -> Mapping[str, object]:
    """The JSON object in *data*. Raises :class:`BadReply`, or the error that the object tells of."""
    document = answer_of(data, call)
    if (error := error_of(document)) is not None:
        raise object_failure(error, call)
    if not isinstance(document, Mapping):
        raise BadReply(f"{call.origin} sent JSON that is no reply; check baseURL", kind="shape")
    return document


def completion_of(
    document: Mapping[str, object], expected: Expected, call: Call, before: str | None = None
) -> Completion:
    """The completion that *document* holds; *before* is the text that came before it in a stream."""
    content = document.get("content")
    if not isinstance(content, str):
        message = f"the reply of {call.origin} has no content; is a llama.cpp server there? check baseURL"
        raise BadReply(message, kind="shape")
    text = repair_surrogates(content)
    return Completion(
        text=text,
        finish_reason=_finish_of(document),
        model=string_of(document, "model"),
        usage=_usage_of(document),
        warnings=tuple(expected.warnings(document, (before or "") + text)),
        raw=document,
        stop_sequence=string_of(document, "stopping_word") or None,
    )


def unread(error: BackendError) -> BackendError:
    """The error for a reply that broke off before anything of it could be used."""
    if not isinstance(error, StreamBroken):
        return error
    return BadReply(error.message, kind="unreadable", status=error.status, request_id=error.request_id)


def _finish_of(document: Mapping[str, object]) -> str | None:
    return _FINISH.get(string_of(document, "stop_type"))


def _usage_of(document: Mapping[str, object]) -> Usage:
    prompt, completion = (count_of(document.get(name)) for name in ("tokens_evaluated", "tokens_predicted"))
    timings = document.get("timings")
    cached = count_of(timings.get("cache_n")) if isinstance(timings, Mapping) else None
    total = prompt + completion if prompt is not None and completion is not None else None
    return Usage(prompt, completion, total, cached)


def count_of(value: object) -> int | None:
    """A number of things, None where *value* is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _is_json(text: str) -> bool:
    try:
        read_json(text.encode())
    except BackendError:
        return False
    return True
