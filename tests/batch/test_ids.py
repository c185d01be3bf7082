"""Ids that were seen."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.batch.ids import SeenIds


@settings(deadline=None)
@given(st.lists(st.integers() | st.text()))
@example([5, "5"])
def test_an_id_is_refused_exactly_where_it_was_seen_before(ids):
    seen, known = SeenIds(), set()
    for each in ids:
        if (type(each), each) in known:
            with pytest.raises(rf.RowError) as caught:
                seen.check(each)
            assert (caught.value.kind, caught.value.id) == ("duplicate-id", each)
        else:
            seen.check(each)
        known.add((type(each), each))


def test_an_id_takes_about_eight_bytes():
    seen = SeenIds()
    for number in range(50_000):
        seen.check(number)
    assert sum(shard.__sizeof__() - shard.__class__("Q").__sizeof__() for shard in seen._shards) < 50_000 * 12
