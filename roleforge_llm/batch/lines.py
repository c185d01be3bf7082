"""From bytes to numbered lines, in bounded memory, and from a line to a row. No I/O."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

import attrs

from roleforge_llm.batch.rows import BatchRow, batch_row
from roleforge_llm.errors import RowError

__all__ = ["MAX_LINE", "Line", "LineSplitter", "read_line"]

MAX_LINE = 16 << 20
"""Bytes of a line: room for a conversation with images, and not for a file without line ends."""

_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


@attrs.frozen
class Line:
    """A line without its end. *number* counts from 1, *size* is its bytes; of one that is too long, *data* is empty."""

    number: int
    data: bytes
    size: int
    crc: int

    @property
    def checksum(self) -> str:
        """CRC-32 of all of its bytes, in 8 hex digits."""
        return f"{self.crc:08x}"

    @property
    def is_too_long(self) -> bool:
        """Whether the line had more than :data:`MAX_LINE` bytes, which were not kept."""
        return self.size > len(self.data)


class LineSplitter:
    """Cuts a file that comes in pieces into lines; blank ones are counted and left out.

    Never keeps more than one piece and *limit* bytes, however long a line is.
    """

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._number = 0
        self._begun: list[bytes] = []
        self._size = 0
        self._crc = 0

    def feed(self, piece: bytes) -> Iterator[Line]:
        """The lines that end in *piece*."""
        *whole, rest = piece.split(b"\n")
        for data in whole:
            line = self._ended(data)
            if line is not None:
                yield line
        self._add(rest)

    def finish(self) -> Iterator[Line]:
        """The last line, where the file does not end with a newline."""
        if self._size and (line := self._ended(b"")) is not None:
            yield line

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        self._crc = zlib.crc32(part, self._crc)
        if self._size <= self._limit:
            self._begun.append(part)
        else:
            self._begun = []

    def _ended(self, data: bytes) -> Line | None:
        self._number += 1
        if not self._size and len(data) <= self._limit:  # nearly every line lies within one piece
            return Line(self._number, data, len(data), zlib.crc32(data)) if data.strip(_BLANK) else None
        self._add(data)
        data, size, crc = b"".join(self._begun), self._size, self._crc
        self._begun, self._size, self._crc = [], 0, 0
        return Line(self._number, data, size, crc) if size > self._limit or data.strip(_BLANK) else None


def read_line(line: Line) -> BatchRow:
    """The row in *line*. Raises :class:`RowError` for whatever is wrong with it."""
    if line.is_too_long:
        raise RowError(f"the line has {line.size} bytes; at most {MAX_LINE} are read", "too-long")
    return batch_row(_parsed(line), line.number, line.checksum)


def _parsed(line: Line) -> object:
    data = line.data.removeprefix(_BOM) if line.number == 1 else line.data
    try:
        return json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RowError(f"the line is not UTF-8: byte {error.start + 1}", "utf-8") from None
    except json.JSONDecodeError as error:
        raise RowError(f"the line is not JSON: {error.msg} at character {error.pos + 1}", "json") from None
    except (ValueError, RecursionError) as error:
        raise RowError(f"the line cannot be read: {str(error)[:200]}", "json") from None
