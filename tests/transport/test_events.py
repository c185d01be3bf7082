"""Splitting an event stream: the same events whatever pieces it comes in."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import TooLarge
from roleforge_llm.transport import EventSplitter


def split(*pieces: bytes, limit: int = 1000) -> list[tuple[bytes, bytes]]:
    splitter = EventSplitter(limit)
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return [*events, *splitter.end()]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_lines_end_with_any_of_the_three_line_ends(newline):
    text = b"data: a\n\ndata: b\ndata: c\n\n".replace(b"\n", newline)
    assert split(text) == [(b"", b"a"), (b"", b"b\nc")]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
        (b"data:a\n\n", [(b"", b"a")]),
        (b"data:  a\n\n", [(b"", b" a")]),
        (b"data\n\n", [(b"", b"")]),
        (b": comment\n\n:\n\n", []),
        (b"id: 1\nretry: 9\ndata: a\n\n", [(b"", b"a")]),
        (b"event: error\ndata: a\n\n", [(b"error", b"a")]),
        (b"event: x\n\ndata: a\n\n", [(b"", b"a")]),
        (b"error: {}\n\n", [(b"error", b"{}")]),
        (b"data: a", [(b"", b"a")]),
        (b"data: a\r", [(b"", b"a")]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_fields(text, events):
    assert split(text) == events


LINES = st.lists(
    st.sampled_from([b"data: a", b"data: \xe2\x82\xac", b"data:", b"", b"event: e", b": c", b"id: 1", b"error: x"]),
    max_size=12,
)


@given(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans(), st.lists(st.integers(0, 200)))
def test_the_pieces_make_no_difference(lines, newline, mark, cuts):
    text = (b"\xef\xbb\xbf" if mark else b"") + b"".join(line + newline for line in lines)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert split(*pieces) == split(text) == split(*(text[at : at + 1] for at in range(len(text))))


@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: " + b"a" * 2000],
        [b"data: ", *[b"a" * 10] * 200],
        [b"data: aaaaaaaaaa\n" * 200],
        [b"\xef\xbb\xbf", b": ", *[b"a"] * 2000],
    ],
)
def test_a_line_or_an_event_beyond_the_limit_is_refused(pieces):
    with pytest.raises(TooLarge) as caught:
        split(*pieces, limit=1000)
    assert caught.value.kind == "line"


def test_a_long_stream_of_short_events_has_no_limit():
    assert len(split(b"data: aaaaaaaaaa\n\n" * 1000, limit=1000)) == 1000
