"""Undoing content encodings, in bounded pieces."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import BadReply, TooLarge
from roleforge_llm.transport import Decoder

WBITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def decoded(encoding: str, data: bytes, size: int = 7, limit: int = 10_000) -> bytes:
    decoder = Decoder(encoding, limit)
    found = b"".join(piece for at in range(0, len(data), size) for piece in decoder.feed(data[at : at + size]))
    decoder.end()
    return found


@given(st.binary(max_size=2000), st.sampled_from([*WBITS, "identity", "", " GZIP "]), st.integers(1, 300))
def test_every_body_comes_back_whatever_its_pieces(body, encoding, size):
    wbits = WBITS.get(encoding.strip().lower())
    packed = body if wbits is None else zlib.compress(body, wbits=wbits)
    assert decoded(encoding, packed, size) == body


@given(st.binary(max_size=2000), st.integers(1, 300))
def test_deflate_without_its_frame_is_understood(body, size):
    assert decoded("deflate", zlib.compress(body, wbits=-15), size) == body


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding):
    with pytest.raises(BadReply):
        Decoder(encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_what_is_not_compressed_or_cut_off_is_unreadable(encoding):
    whole = zlib.compress(b"x" * 1000, wbits=WBITS[encoding])
    for data in (b'{"a": 1} and more', whole[:-6], b""):
        with pytest.raises(BadReply) as caught:
            decoded(encoding, data)
        assert caught.value.kind == "unreadable"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_a_body_beyond_the_limit_is_refused_before_it_is_decoded(encoding):
    body = b"a" * 50_000_000
    data = body if encoding == "identity" else zlib.compress(body, wbits=WBITS[encoding])
    decoder, produced = Decoder(encoding, limit=1_000_000), 0
    with pytest.raises(TooLarge):
        for piece in decoder.feed(data):
            produced += len(piece)
    assert produced <= 1_000_000
