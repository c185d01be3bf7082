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
        self._head: bytes | None = None
        self._inflater: _Inflater | None = None
        match encoding.strip().lower():
            case "" | "identity":
                pass
            case "gzip" | "x-gzip":
                self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
            case "deflate":
                self._head = b""
            case _:
                raise BadReply("the reply has a content encoding that was not asked for", kind="unreadable")

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decoded pieces of *data*. Raises :class:`TooLarge` as soon as the limit is passed."""
        return map(self.counted, self._pieces(data))

    @property
    def is_plain(self) -> bool:
        """Whether nothing needs to be decoded: each piece of the body is only to be :meth:`counted`."""
        return self._head is None and self._inflater is None

    def counted(self, piece: bytes) -> bytes:
        """The decoded *piece*, held against the limit. Raises :class:`TooLarge`."""
        self._size += len(piece)
        if self._size > self._limit:
            raise TooLarge(f"the reply is longer than {self._limit} bytes", kind="body")
        return piece

    def end(self) -> None:
        """Say that the body is over. Raises :class:`BadReply` if the encoded data is not."""
        if self._head is not None or (self._inflater is not None and not self._inflater.eof):
            raise BadReply("the compressed reply is cut off", kind="unreadable")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        if self._head is not None:
            data = self._begin_deflate(self._head + data)
        if self._inflater is None:
            yield data
            return
        while data and not self._inflater.eof:
            if piece := _inflate(self._inflater, data):
                yield piece
            data = self._inflater.unconsumed_tail

    def _begin_deflate(self, data: bytes) -> bytes:
        # "deflate" means zlib's format, but some servers send the bare one; the first two bytes tell.
        if len(data) < 2:
            self._head = data
            return b""
        framed = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        self._head = None
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS if framed else -zlib.MAX_WBITS)
        return data


def _inflate(inflater: _Inflater, data: bytes) -> bytes:
    try:
        return inflater.decompress(data, PIECE)
    except zlib.error:
        raise BadReply("the reply is not compressed as its header says", kind="unreadable") from None
