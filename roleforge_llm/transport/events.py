"""Splitting an event stream (server-sent events) into events, whatever pieces it comes in."""

from __future__ import annotations

from collections.abc import Iterator

from roleforge_llm.errors import TooLarge
from roleforge_llm.transport.bounds import MAX_LINE

__all__ = ["EventSplitter"]

_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """Takes bytes, gives events as pairs of name (b"" if it has none) and data.

    Lines end with CRLF, LF or CR; a byte order mark, comments and the fields id and retry are dropped, as
    the WHATWG's specification of server-sent events says. Beyond it, a field named ``error`` is an event of
    that name: llama.cpp reports its errors like that. Raises :class:`TooLarge` for a line or an event
    longer than *limit* bytes.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._begun = False
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The events that *data* completes."""
        if self._begun and b"\n" not in data and b"\r" not in data and not self._rest.endswith(b"\r"):
            # Nothing ends here: a long line in tiny pieces must not be copied for each of them.
            self._keep(data)
            return
        if self._rest:
            data, self._rest = bytes(self._rest + data), bytearray()
        if not self._begun:
            if _BOM.startswith(data):
                self._rest += data
                return
            self._begun, data = True, data.removeprefix(_BOM)
        if b"\r" in data:
            data = _with_newlines(data)
        if not self._data and _is_plain(data):
            # Nearly always a piece is one event of one line; this is the same as what follows, in fewer steps.
            self._check(len(data) - 2)
            name, self._name = self._name, b""
            yield name, data[6:-2]
        else:
            yield from self._lines(data)

    def _lines(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        *lines, rest = data.split(b"\n")
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                yield self._event()
            else:
                self._name = b""
        if rest:
            self._keep(rest)

    def end(self) -> Iterator[tuple[bytes, bytes]]:
        """The event that the end of the stream completes, if any: many servers leave out the last empty line."""
        rest, self._rest = bytes(self._rest).rstrip(b"\r"), bytearray()
        if rest:
            self._take(rest)
        if self._data:
            yield self._event()

    def _keep(self, rest: bytes) -> None:
        self._rest += rest
        self._check(len(self._rest))

    def _take(self, line: bytes) -> None:
        self._check(len(line))
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(value)
        elif field == b"event":
            self._name = value
        elif field == b"error":
            self._name = field
            self._data.append(value)

    def _event(self) -> tuple[bytes, bytes]:
        event = self._name, self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._name, self._data, self._size = b"", [], 0
        return event

    def _check(self, size: int) -> None:
        if size + self._size > self._limit:
            raise TooLarge(f"a line of the event stream is longer than {self._limit} bytes", kind="line")


def _is_plain(data: bytes) -> bool:
    return data.startswith(b"data: ") and data.endswith(b"\n\n") and data.count(b"\n") == 2


def _with_newlines(data: bytes) -> bytes:
    # A carriage return at the end may be the first half of CRLF: it waits for the next piece.
    held = data.endswith(b"\r")
    data = (data[:-1] if held else data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data + b"\r" if held else data
