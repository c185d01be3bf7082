"""Reading a streamed reply: bytes in, chunks out, and whether the reply is complete. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from roleforge_llm.backends import Chunk, Usage
from roleforge_llm.errors import BackendError, BadReply, StreamBroken
from roleforge_llm.transport import Call, EventSplitter, error_of, object_failure, repair_surrogates, string_of
from roleforge_llm_builtin.openai_compatible.fields import (
    NO_FINISH,
    REPAIRED,
    check_not_html,
    content_of,
    document_of,
    finish_of,
    is_other,
    reasoning_of,
    usage_of,
)
from roleforge_llm_builtin.openai_compatible.replies import unread, whole_reply
from roleforge_llm_builtin.openai_compatible.tool_calls import ToolCalls

__all__ = ["StreamReader"]

_BOM = b"\xef\xbb\xbf"
_AFTER_END = 0.1
_AFTER_FINISH = 1.0
"""Seconds that the rest of a complete reply is waited for, so that its connection can be kept."""


class StreamReader:
    """Reads the pieces of one streamed reply.

    A reply is complete with a finish reason, or, after text, with the end marker ``[DONE]`` (then a warning
    says that the reason is unknown), or with the end of the stream where *ends_without_finish*. What comes
    after that is waited for only shortly (the connection can be kept if it ends), and no fault in it counts.

    Progress, which restarts *call*'s limit for the next piece, is text, reasoning and tool calls; comments,
    empty deltas and the like are none. A server that does not stream and sends a whole reply is understood.
    """

    def __init__(self, call: Call, *, ends_without_finish: bool = False) -> None:
        self._call = call
        self._ends_without_finish = ends_without_finish
        self._splitter = EventSplitter()
        self._head: bytes | None = b""
        self._whole: list[bytes] | None = None
        self._text = _Joiner()
        self._reasoning = _Joiner()
        self._tools = ToolCalls()
        self._marked = False
        self._finish: str | None = None
        self._usage: Usage | None = None
        self._model = ""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """The chunks that *data* completes. Raises :class:`BackendError`; pass it to :meth:`failed`."""
        if self._head is not None:
            data = self._begin(data)
        if self._whole is not None:
            self._whole.append(data)
            self._call.clock.progress()
            return
        if self._marked or not data:
            return
        for name, event in self._splitter.feed(data):
            if (chunk := self._event(name, event)) is not None:
                yield chunk
                # Only now: the time that the caller takes for a chunk is not the server's.
                self._call.clock.progress()
            if self._finish is not None:
                self._call.clock.at_most(_AFTER_FINISH)
            if self._marked:
                return

    def end(self) -> Iterator[Chunk]:
        """The chunks that the end of the body completes. Raises what :meth:`failed` makes of an incomplete reply."""
        try:
            if self._whole is not None:
                yield from self._whole_reply(b"".join(self._whole))
                return
            for name, event in self._splitter.end():
                if (chunk := self._event(name, event)) is not None:
                    yield chunk
            self._check_complete()
        except BackendError as error:
            if (failure := self.failed(error)) is not None:
                raise failure from None
        yield self._last_chunk()

    def failed(self, error: BackendError) -> BackendError | None:
        """What *error*, which came while reading, means for the reply; None if it is complete all the same."""
        if self._finish is not None or self._marked:
            return None
        if not self._begun:
            return unread(error)
        if isinstance(error, BadReply):
            return StreamBroken(error.message, kind="unreadable", request_id=self._call.request_id)
        return error

    @property
    def _begun(self) -> bool:
        return self._text.seen or bool(self._tools)

    def _begin(self, data: bytes) -> bytes:
        # White space and a byte order mark before the beginning mean nothing in JSON and in events alike.
        head = (self._head or b"") + data
        if _BOM.startswith(head):
            self._head = head
            return b""
        head = head.removeprefix(_BOM).lstrip()
        if not head:
            self._head = b""
            return b""
        self._head = None
        check_not_html(head, self._call, "unreadable")
        if head[:1] in b"{[":
            self._whole = []
        return head

    def _event(self, name: bytes, data: bytes) -> Chunk | None:
        data = data.strip()
        if data == b"[DONE]":
            self._end_marker()
            return None
        if not data:
            return None
        return self._chunk(*self._document(name, data))

    def _end_marker(self) -> None:
        if self._finish is None and not self._begun:
            raise BadReply(f"{self._call.origin} ended the stream without any text", kind="unreadable")
        self._marked = True
        self._call.clock.at_most(_AFTER_END)

    def _document(self, name: bytes, data: bytes) -> tuple[Mapping[str, object], Mapping[str, object] | None]:
        try:
            document, choice = document_of(data, self._call)
        except BadReply:
            raise
        except BackendError as error:
            raise self._error_event(error) from None
        if name == b"error":
            raise self._error_event(object_failure(error_of(document) or document, self._call))
        return document, choice

    def _error_event(self, error: BackendError) -> BackendError:
        if not self._begun:
            return error
        message = f"in the middle of the stream {error.message}"
        return StreamBroken(message, kind="error-event", status=error.status, request_id=error.request_id)

    def _chunk(self, document: Mapping[str, object], choice: Mapping[str, object] | None) -> Chunk | None:
        if not self._model:
            self._model = string_of(document, "model")
        if document.get("usage"):
            self._usage = usage_of(document)
        if choice is None or is_other(choice):
            return None
        delta = choice.get("delta")
        part: Mapping[str, object] = delta if isinstance(delta, dict) else choice
        text = self._text.add(content_of(part.get("content")) or string_of(choice, "text"))
        reasoning = self._reasoning.add(thought) if (thought := reasoning_of(part)) else ""
        if "tool_calls" in part and self._tools.add(part["tool_calls"]):
            self._call.clock.progress()
        self._finish = finish_of(choice) or self._finish
        if text or reasoning:
            return Chunk(text=text, reasoning=reasoning, tokens=1 if text else 0)
        return None

    def _check_complete(self) -> None:
        if self._finish is not None or self._marked:
            return
        if self._begun and self._ends_without_finish:
            return
        raise StreamBroken(f"{self._call.origin} ended the stream before the reply was complete", kind="closed")

    def _last_chunk(self) -> Chunk:
        text, reasoning = self._text.end(), self._reasoning.end()
        return Chunk(
            text=text,
            reasoning=reasoning,
            finish_reason=self._finish,
            usage=self._usage,
            model=self._model,
            tool_calls=self._tools.complete(),
            warnings=tuple(self._warnings()),
            tokens=1 if text else 0,
        )

    def _warnings(self) -> Iterator[str]:
        if self._finish is None:
            yield NO_FINISH
        if self._text.repaired or self._reasoning.repaired:
            yield REPAIRED

    def _whole_reply(self, data: bytes) -> Iterator[Chunk]:
        reply = whole_reply(data, self._call)
        yield Chunk(
            text=reply.text,
            reasoning=reply.reasoning,
            finish_reason=reply.finish_reason,
            usage=reply.usage,
            model=reply.model,
            tool_calls=reply.tool_calls,
            warnings=reply.warnings,
        )


class _Joiner:
    """Joins surrogate pairs that were split over two events, and replaces lone surrogates."""

    def __init__(self) -> None:
        self.seen = False
        self.repaired = False
        self._held = ""

    def add(self, text: str) -> str:
        if not text:
            return ""
        self.seen = True
        if not self._held and text.isascii():
            return text
        text, self._held = self._held + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        return self._repair(text)

    def end(self) -> str:
        text, self._held = self._held, ""
        return self._repair(text)

    def _repair(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            joined = repair_surrogates(text)
            self.repaired = self.repaired or joined.count("\ufffd") > text.count("\ufffd")
            return joined
        return text
