"""Reading a streamed reply of ``/completion``: bytes in, chunks out, and whether the reply is complete. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from roleforge_llm import BackendError, BadReply, Chunk, StreamBroken
from roleforge_llm.transport import Call, EventSplitter, error_of, object_failure, repair_surrogates
from roleforge_llm_llamacpp.replies import Expected, completion_of, document_of, unread, whole_reply

__all__ = ["EventReader"]

_AFTER_END = 0.2
"""Seconds that the end of a complete reply's body is waited for, so that its connection can be kept."""


class EventReader:
    """Reads the pieces of one streamed reply, which is complete with the event that says ``stop``.

    Text restarts *call*'s limit for the next piece. So does, for the first piece, a step of the prompt's
    processing, where the request asked for ``return_progress``. A server that sends a whole reply is understood.
    """

    def __init__(self, expected: Expected, call: Call) -> None:
        self._expected = expected
        self._call = call
        self._splitter = EventSplitter()
        self._whole: list[bytes] | None = None
        self._begun = False
        self._text: list[str] = []
        self._tokens = 0
        self._processed = 0
        self._complete = False

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """The chunks that *data* completes. Raises :class:`BackendError`; pass it to :meth:`failed`."""
        if not self._begun and (data := data.lstrip()):
            self._begun = True
            self._whole = [] if data[:1] in {b"{", b"[", b"<"} else None
        if self._whole is not None:
            self._whole.append(data)
            self._call.clock.progress()
            return
        for name, event in self._splitter.feed(data):
            yield from self._event(name, event)

    def end(self) -> Iterator[Chunk]:
        """The chunks that the end of the body completes. Raises what :meth:`failed` makes of an incomplete reply."""
        try:
            if self._whole is not None:
                yield Chunk.of(whole_reply(b"".join(self._whole), self._expected, self._call))
                return
            for name, event in self._splitter.end():
                yield from self._event(name, event)
            if not self._complete:
                raise StreamBroken(f"{self._call.origin} ended the stream before the reply was complete", kind="closed")
        except BackendError as error:
            if (failure := self.failed(error)) is not None:
                raise failure from None

    def failed(self, error: BackendError) -> BackendError | None:
        """What *error*, which came while reading, means for the reply; None if it is complete all the same."""
        if self._complete:
            return None
        if not self._text:
            return unread(error)
        if isinstance(error, BadReply):
            return StreamBroken(error.message, kind="unreadable", request_id=self._call.request_id)
        return error

    def _event(self, name: bytes, data: bytes) -> Iterator[Chunk]:
        if self._complete or not data.strip() or data == b"[DONE]":
            return
        document = self._document(name, data)
        if document.get("stop") is True:
            yield self._last(document)
            self._complete = True
            self._call.clock.at_most(_AFTER_END)
        elif (chunk := self._next(document)) is not None:
            yield chunk
            # Only now: the time that the caller takes for a chunk is not the server's.
            self._call.clock.progress()

    def _document(self, name: bytes, data: bytes) -> Mapping[str, object]:
        try:
            document = document_of(data, self._call)
        except BadReply:
            raise
        except BackendError as error:
            raise self._in_the_middle(error) from None
        if name == b"error":
            raise self._in_the_middle(object_failure(error_of(document) or document, self._call))
        return document

    def _in_the_middle(self, error: BackendError) -> BackendError:
        if not self._text:
            return error
        message = f"in the middle of the stream {error.message}"
        return StreamBroken(message, kind="error-event", status=error.status, request_id=error.request_id)

    def _next(self, document: Mapping[str, object]) -> Chunk | None:
        content = document.get("content")
        if not isinstance(content, str):
            raise BadReply(f"{self._call.origin} sent an event without content; check baseURL", kind="shape")
        if not content:
            self._note_progress(document.get("prompt_progress"))
            return None
        text = repair_surrogates(content)
        self._text.append(text)
        return Chunk(text=text, tokens=self._new_tokens(document))

    def _new_tokens(self, document: Mapping[str, object]) -> int:
        """Tokens since the last piece of text: a character may take several."""
        total = document.get("tokens_predicted")
        if not isinstance(total, int) or total <= self._tokens:
            return 1
        new, self._tokens = total - self._tokens, total
        return new

    def _note_progress(self, progress: object) -> None:
        processed = progress.get("processed") if isinstance(progress, Mapping) else None
        if isinstance(processed, int) and processed > self._processed:
            self._processed = processed
            self._call.clock.sent()  # the limit for the first piece begins anew

    def _last(self, document: Mapping[str, object]) -> Chunk:
        completion = completion_of(document, self._expected, self._call, "".join(self._text))
        return Chunk.of(completion)
