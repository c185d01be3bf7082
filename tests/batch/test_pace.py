"""How many requests at once: what a pace does before servers of all kinds."""

from __future__ import annotations

import heapq
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roleforge_llm.batch.pace import Pace


def simulated(pace, latency, requests, *, capacity=None, spread=0.0, seed=0):
    """Send *requests* as fast as *pace* allows. Gives the limits that it had, and when it ended.

    *latency* gives the seconds of a request from the number in flight; beyond *capacity* the server is busy.
    """
    draw = random.Random(seed)
    now, sent, flying, limits = 0.0, 0, [], []
    while sent < requests or flying:
        while sent < requests and len(flying) < pace.limit:
            busy = capacity is not None and len(flying) >= capacity
            took = 0.01 if busy else latency(len(flying) + 1) * draw.uniform(1 - spread, 1 + spread)
            heapq.heappush(flying, (now + took, now, took, busy))
            sent += 1
        in_flight = len(flying)
        now, began, took, busy = heapq.heappop(flying)
        if busy:
            pace.was_busy(began, now)
        else:
            pace.succeeded(began, now, took, in_flight=in_flight)
        limits.append(pace.limit)
    return limits, now


@settings(deadline=None)
@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.booleans(), st.floats(0, 10), st.floats(0, 100), st.integers(1, 300)), max_size=200),
)
def test_a_limit_is_always_between_one_and_the_maximum(maximum, answers):
    pace, now = Pace(maximum), 0.0
    for busy, step, latency, in_flight in answers:
        now += step
        if busy:
            pace.was_busy(now - latency, now)
        else:
            pace.succeeded(now - latency, now, latency, in_flight=in_flight)
        assert 1 <= pace.limit <= maximum


@pytest.mark.parametrize("spread", [0, 0.3])
@pytest.mark.parametrize("maximum", [1, 2, 7, 256])
def test_it_grows_to_the_maximum_while_the_latency_holds(maximum, spread):
    limits, _ = simulated(Pace(maximum), lambda _: 1.0, 2000, spread=spread)
    assert max(limits) == maximum


def test_it_doubles_at_first():
    limits, _ = simulated(Pace(256), lambda _: 1.0, 1000)
    assert sorted(set(limits)) == [4, 8, 16, 32, 64, 128, 256]


@pytest.mark.parametrize("slots", [1, 4, 32])
@pytest.mark.parametrize("seed", range(2))
def test_it_stays_near_what_a_server_does_at_once(slots, seed):
    """Such a server does so many at once, and lets the others wait: their latency grows with their number."""
    limits, _ = simulated(Pace(256), lambda n: max(1.0, n / slots), 6000, spread=0.2, seed=seed)
    settled = sorted(limits[1000:])
    assert max(1, slots // 2) <= settled[len(settled) // 2] <= max(4, slots * 2)


def test_it_leaves_the_maximum_again_where_that_has_become_too_much():
    pace = Pace(16)
    simulated(pace, lambda _: 1.0, 200)
    assert pace.limit == 16
    simulated(pace, lambda n: max(1.0, n / 2), 20_000)
    assert pace.limit <= 8


def test_it_finds_down_again_after_a_server_has_lost_slots():
    pace = Pace(256)
    simulated(pace, lambda n: max(1.0, n / 64), 5000)
    assert pace.limit >= 32
    simulated(pace, lambda n: max(1.0, n / 2), 20_000)
    assert pace.limit <= 16


def test_a_busy_server_halves_it_once_for_all_that_was_under_way():
    pace = Pace(256, first=64)
    for now in (10.0, 10.1, 10.2):
        pace.was_busy(9.0, now)
    assert pace.limit == 32
    pace.was_busy(10.3, 11.0)
    assert pace.limit == 16


def test_it_grows_again_after_a_busy_server_has_recovered():
    pace = Pace(256)
    simulated(pace, lambda _: 1.0, 3000, capacity=20)
    assert pace.limit <= 25
    simulated(pace, lambda _: 1.0, 20_000)
    assert pace.limit > 40


def test_requests_that_do_not_use_the_limit_up_say_nothing():
    pace = Pace(256)
    for now in range(1000):
        pace.succeeded(now, now + 1.0, 1.0, in_flight=pace.limit - 1)
    assert pace.limit == 4


def test_most_of_what_a_server_can_do_is_used():
    """32 at once, 1 s each: at best 32 in a second."""
    _, seconds = simulated(Pace(256), lambda n: max(1.0, n / 32), 10_000, spread=0.2)
    assert 10_000 / seconds > 0.75 * 32
