"""The rows of a file, without those that are answered already."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress

from roleforge_llm.batch.answered import Answered
from roleforge_llm.batch.ids import SeenIds
from roleforge_llm.batch.lines import Line, LineSplitter, read_line
from roleforge_llm.batch.results import BatchResult, refused
from roleforge_llm.batch.rows import BatchRow
from roleforge_llm.errors import RowError

__all__ = ["RowReader", "lines_of"]


def lines_of(pieces: Iterable[bytes]) -> Iterator[Line]:
    """The lines of a file that comes in *pieces*."""
    splitter = LineSplitter()
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.finish()


class RowReader:
    """Reads rows; what is none becomes its result at once. Of two rows with one id, the first in the file is the row.

    ``read`` is how many bytes the lines have that it has read so far.
    """

    def __init__(self, answered: Answered) -> None:
        self.read = 0
        self._answered = answered
        self._matched = 0
        self._splitter = LineSplitter()
        self._seen = SeenIds()

    def rows(self, pieces: Iterable[bytes]) -> Iterator[BatchRow | BatchResult]:
        """The rows of a file that comes in *pieces*. Raises :class:`BatchError` for another file than was answered."""
        for piece in pieces:
            yield from self._fed(piece)
        yield from self._finished()

    async def arows(self, pieces: AsyncIterable[bytes]) -> AsyncIterator[BatchRow | BatchResult]:
        """:meth:`rows` for pieces that have to be awaited."""
        async for piece in pieces:
            for row in self._fed(piece):
                yield row
        for row in self._finished():
            yield row

    def _fed(self, piece: bytes) -> Iterator[BatchRow | BatchResult]:
        for line in self._splitter.feed(piece):
            if (row := self._row(line)) is not None:
                yield row

    def _finished(self) -> Iterator[BatchRow | BatchResult]:
        for line in self._splitter.finish():
            if (row := self._row(line)) is not None:
                yield row
        self._answered.check_count(self._matched)

    def _row(self, line: Line) -> BatchRow | BatchResult | None:
        self.read += line.size + 1
        if self._answered.has(line):
            self._matched += 1
            with suppress(RowError):
                self._seen.check(read_line(line).id)
            return None
        try:
            row = read_line(line)
            self._seen.check(row.id)
        except RowError as error:
            return refused(error, line.number, checksum=line.checksum)
        return row
