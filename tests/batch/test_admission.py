"""Which row may start now."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.batch import BatchRow
from roleforge_llm.batch.admission import Admission, Waiting

PROFILES = st.sampled_from("abc")


def row(number):
    return BatchRow(number, [], number)


@settings(deadline=None)
@given(
    st.integers(1, 6) | st.just("auto"),
    st.dictionaries(PROFILES, st.integers(1, 4)),
    st.lists(PROFILES | st.none(), max_size=60),
)
def test_no_limit_is_ever_passed_and_the_oldest_that_may_start_is_first(concurrency, limits, steps):
    """A step is a row that comes for a profile, or (None) the end of the row that has been longest under way."""
    admission, waiting, flying, expected = Admission(concurrency, 5, limits), Waiting(), [], []
    for ticket, profile in enumerate(steps):
        if profile is None:
            if flying:
                admission.ended(flying.pop(0), 0.0, 1.0)
        else:
            waiting.add(ticket, profile, row(ticket))
            expected.append((ticket, profile))
        while (ready := waiting.next(admission)) is not None:
            assert ready[:2] == next(each for each in expected if admission.has_room(each[1]))
            expected.remove(ready[:2])
            admission.started(ready[1])
            flying.append(ready[1])
        assert len(flying) <= admission.most == (5 if concurrency == "auto" else concurrency)
        assert all(flying.count(name) <= min(admission.limit(name), limits.get(name, 99)) for name in "abc")
        assert len(waiting) == len(expected)


def test_a_busy_server_slows_down_its_own_rows_alone():
    admission = Admission("auto", 256, {})
    busy = rf.Attempt("a", 1, ok=False, kind="status", status=503)
    admission.started("a")
    admission.ended("a", 0.0, 1.0, [busy])
    assert (admission.limit("a"), admission.limit("b")) == (2, 4)


def test_whoever_gives_up_gets_the_tickets_back():
    waiting = Waiting()
    waiting.add(1, "a", row(1))
    waiting.add(2, "b", row(2))
    assert sorted(waiting.clear()) == [1, 2]
    assert len(waiting) == 0
