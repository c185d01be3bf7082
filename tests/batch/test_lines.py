"""Lines out of pieces, and rows out of lines."""

from __future__ import annotations

import contextlib
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.batch.lines import MAX_LINE, Line, LineSplitter, read_line

PIECES = st.lists(st.text("ab \t\r\n", max_size=8).map(str.encode))


def split(pieces, limit=MAX_LINE):
    splitter = LineSplitter(limit)
    return [line for piece in pieces for line in splitter.feed(piece)] + list(splitter.finish())


def line(data, number=1):
    return Line(number, data, len(data), zlib.crc32(data))


@settings(deadline=None)
@given(PIECES)
def test_lines_do_not_depend_on_how_the_file_comes(pieces):
    whole = b"".join(pieces)
    expected = [line(data, number) for number, data in enumerate(whole.split(b"\n"), 1) if data.strip()]
    assert split(pieces) == expected


@settings(deadline=None)
@given(PIECES, st.integers(1, 4))
def test_a_line_beyond_the_limit_is_known_by_its_size_and_checksum_and_not_kept(pieces, limit):
    whole = b"".join(pieces)
    for found in split(pieces, limit):
        data = whole.split(b"\n")[found.number - 1]
        assert (found.size, found.crc) == (len(data), zlib.crc32(data))
        assert found.data == (b"" if len(data) > limit else data)
        assert found.is_too_long == (len(data) > limit)


def test_a_splitter_keeps_no_more_than_the_limit():
    splitter = LineSplitter(limit=100)
    for _ in range(1000):
        assert list(splitter.feed(b"x" * 50)) == []
    assert sum(map(len, splitter._begun)) <= 100


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"{", "json", "at character 2"),
        (b"[1]", "not-an-object", "not a list"),
        (b'{"id": "\xff"}', "utf-8", "byte 9"),
        (b"[" * 100_000, "json", "cannot be read"),
        (b'{"id": ' + b"1" * 5000 + b"}", "json", "cannot be read"),
    ],
)
def test_a_broken_line_says_what_is_wrong(data, kind, words):
    with pytest.raises(rf.RowError, match=words) as caught:
        read_line(line(data))
    assert caught.value.kind == kind


def test_a_line_that_is_too_long_is_told_with_its_size():
    with pytest.raises(rf.RowError, match="16777217 bytes") as caught:
        read_line(Line(1, b"", MAX_LINE + 1, 0))
    assert caught.value.kind == "too-long"


def test_a_byte_order_mark_is_no_part_of_the_first_row():
    data = json.dumps({"messages": []}).encode()
    assert read_line(line(b"\xef\xbb\xbf" + data)).id == 1
    with pytest.raises(rf.RowError):
        read_line(line(b"\xef\xbb\xbf" + data, number=2))


def test_a_row_of_a_file_has_the_checksum_of_its_line():
    data = b'{"messages": []}\r'
    assert read_line(line(data)).checksum == f"{zlib.crc32(data):08x}"


@settings(deadline=None)
@given(st.binary())
def test_any_line_is_a_row_or_a_row_error(data):
    with contextlib.suppress(rf.RowError):
        read_line(line(data))
