"""Undoing a body's content encoding, in bounded pieces."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from roleforge_llm.errors import BadReply, TooLarge
from roleforge_llm.transport.bounds import MAX_BODY, PIECE

__all__ = ["Decoder"]


class _Inflater(Protocol):
    @property
    def unconsumed_tail(self) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Decoder:
    """Decodes a body of *encoding* (identity, gzip or deflate) that comes in pieces.

    Raises :class:`BadReply` for other encodings and broken data, :class:`TooLarge` when the decoded body is
    longer than *limit* bytes.
    """

    def __init__(self, encoding: str = "", limit: int = MAX_BODY) -> None:
        self._limit = limit
        self._size = 0
        self._deflate = False
        self._inflater: _Inflater | None = None
        match encoding.strip().lower():
            case "" | "identity":
                pass
            case "gzip" | "x-gzip":
                self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
            case "deflate":
                self._inflater, self._deflate = zlib.decompressobj(), True
            case _:
                raise BadReply("the reply has a content encoding that was not asked for", kind="unreadable")

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of *data*."""
        for piece in self._pieces(data) if self._inflater else (data,):
            self._size += len(piece)
            if self._size > self._limit:
                raise TooLarge(f"the reply is longer than {self._limit} bytes", kind="body")
            yield piece

    def end(self) -> None:
        """Say that the body is over. Raises :class:`BadReply` if the encoded data is not."""
        if self._inflater is not None and not self._inflater.eof:
            raise BadReply("the compressed reply is cut off", kind="unreadable")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        assert self._inflater is not None
        while data and not self._inflater.eof:
            if piece := self._inflate(data):
                yield piece
            data = self._inflater.unconsumed_tail
        self._deflate = False

    def _inflate(self, data: bytes) -> bytes:
        assert self._inflater is not None
        try:
            return self._inflater.decompress(data, PIECE)
        except zlib.error:
            if not self._deflate:
                raise BadReply("the reply is not compressed as its header says", kind="unreadable") from None
            # "deflate" means zlib's format, but some servers send the bare one.
            self._inflater, self._deflate = zlib.decompressobj(-zlib.MAX_WBITS), False
            return self._inflate(data)
