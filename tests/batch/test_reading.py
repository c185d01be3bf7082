"""The rows of a file, without those that are answered."""

from __future__ import annotations

import asyncio
import zlib

import pytest

import roleforge_llm as rf
from roleforge_llm.batch import Answered
from roleforge_llm.batch.reading import RowReader

LINES = [f'{{"id": "r{number}", "messages": []}}'.encode() for number in range(1, 6)]


def answered(*numbers):
    found = Answered()
    for number in numbers:
        found.add(number, zlib.crc32(LINES[number - 1]), True)
    return found


def read(found, data, size, *, asynchronously=False):
    """The lines of the rows in *data*, which comes in pieces of so many bytes."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    reader = RowReader(found)
    if not asynchronously:
        return [row.line for row in reader.rows(pieces)], reader.read

    async def arriving():
        for piece in pieces:
            yield piece

    async def reading():
        return [row.line async for row in reader.arows(arriving())]

    return asyncio.run(reading()), reader.read


@pytest.mark.parametrize("asynchronously", [False, True])
@pytest.mark.parametrize("size", [1, 40, 10_000])
def test_answered_lines_are_passed_over_however_the_file_comes(size, asynchronously):
    data = b"\n".join(LINES) + b"\n"
    assert read(answered(2, 5), data, size, asynchronously=asynchronously) == ([1, 3, 4], len(data))


@pytest.mark.parametrize("asynchronously", [False, True])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n".join(LINES[:3]), "1 of its answered lines are missing"),
        (b"\n".join(LINES[::-1]), "line 2 is not the one"),
    ],
)
def test_another_file_is_found_out_even_where_it_can_be_read_only_once(data, words, asynchronously):
    with pytest.raises(rf.BatchError, match=words):
        read(answered(2, 5), data, 100, asynchronously=asynchronously)


def test_what_is_no_row_is_a_result_at_once():
    (found,) = RowReader(Answered()).rows([b"\n{\n"])
    assert (found.line, found.id, found.kind, found.checksum) == (2, 2, "json", f"{zlib.crc32(b'{'):08x}")
