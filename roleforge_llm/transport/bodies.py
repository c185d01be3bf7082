"""The body of a successful reply: decoded, bounded in size, and read within the limits of its call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from contextlib import suppress

import httpcore2
import httpx2

from roleforge_llm.transport.calls import Call, active
from roleforge_llm.transport.decoding import Decoder
from roleforge_llm.transport.failures import exception_failure
from roleforge_llm.transport.masking import one_line

__all__ = ["BODY", "AsyncBody", "Body"]

BODY = "roleforge_llm.transport.body"
"""Where an httpx2 response keeps its body, among its extensions."""


def _headers_of(reply: httpcore2.Response, call: Call) -> httpx2.Headers:
    call.phase = "reading"
    headers = httpx2.Headers(reply.headers)
    if found := headers.get("x-request-id"):
        call.request_id = one_line(call.mask(found), 200)
    return headers


class Body(httpx2.SyncByteStream):
    """An iterator over the decoded pieces of the *reply* to *call*; ``headers`` are the reply's.

    Raises :class:`~roleforge_llm.BackendError` and nothing else.
    """

    def __init__(self, reply: httpcore2.Response, call: Call) -> None:
        assert isinstance(reply.stream, Iterable)
        self.headers = _headers_of(reply, call)
        self._reply = reply
        self._call = call
        self._parts: Iterator[bytes] = iter(reply.stream)
        self._decoder: Decoder | None = None
        self._ready: Iterator[bytes] = iter(())

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._decoder = self._decoder or Decoder(self.headers.get("content-encoding", ""))
        while (piece := next(self._ready, None)) is None:
            with active(self._call):
                try:
                    part = next(self._parts, None)
                except Exception as exc:  # noqa: BLE001 - every failure becomes one of ours
                    raise exception_failure(exc, self._call) from None
            if part is None:
                self._decoder.end()
                raise StopIteration
            if self._decoder.is_plain:
                return self._decoder.counted(part)
            self._ready = self._decoder.feed(part)
        return piece

    def close(self) -> None:
        """Stop reading; the connection is kept only if the reply was read to its end."""
        with active(self._call), suppress(Exception):
            if isinstance(self._parts, Generator):
                self._parts.close()
            self._reply.close()


class AsyncBody(httpx2.AsyncByteStream):
    """:class:`Body` for asyncio: the *reply* to *call*, with its ``headers``."""

    def __init__(self, reply: httpcore2.Response, call: Call) -> None:
        assert isinstance(reply.stream, AsyncIterable)
        self.headers = _headers_of(reply, call)
        self._reply = reply
        self._call = call
        self._parts: AsyncIterator[bytes] = aiter(reply.stream)
        self._decoder: Decoder | None = None
        self._ready: Iterator[bytes] = iter(())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self._decoder = self._decoder or Decoder(self.headers.get("content-encoding", ""))
        while (piece := next(self._ready, None)) is None:
            with active(self._call):
                try:
                    part = await anext(self._parts, None)
                except Exception as exc:  # noqa: BLE001 - every failure becomes one of ours
                    raise exception_failure(exc, self._call) from None
            if part is None:
                self._decoder.end()
                raise StopAsyncIteration
            if self._decoder.is_plain:
                return self._decoder.counted(part)
            self._ready = self._decoder.feed(part)
        return piece

    async def aclose(self) -> None:
        """Stop reading; the connection is kept only if the reply was read to its end."""
        with active(self._call), suppress(Exception):
            if isinstance(self._parts, AsyncGenerator):
                # A generator left to the garbage collector would be closed by a task of the event loop.
                await self._parts.aclose()
            await self._reply.aclose()
