"""Which time limit ends next."""

from __future__ import annotations

import pytest

from roleforge_llm import Timeout, Timeouts
from roleforge_llm.transport import Clock

LIMITS = Timeouts(connect=1, first_token=10, idle=2, attempt=20)


class Now:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


def ended(clock: Clock, now: Now, at: float) -> str:
    now.seconds = at
    with pytest.raises(Timeout) as caught:
        clock.remaining()
    return caught.value.kind


def test_each_limit_runs_from_its_own_beginning_and_has_its_own_kind(now):
    clock = Clock(LIMITS, now=now)
    clock.connecting()
    assert clock.remaining() == 1
    now.seconds = 100.5
    clock.sent()
    assert clock.remaining() == 10
    now.seconds = 105
    clock.progress()
    assert clock.remaining() == 2
    assert ended(clock, now, 107) == "idle"


@pytest.mark.parametrize(("step", "after", "kind"), [("connecting", 1, "connect"), ("sent", 10, "first-token")])
def test_a_limit_ends_when_its_seconds_are_over(now, step, after, kind):
    clock = Clock(LIMITS, now=now)
    getattr(clock, step)()
    now.seconds += after - 0.001
    assert clock.remaining() == pytest.approx(0.001)
    assert ended(clock, now, 100 + after) == kind


def test_the_attempt_ends_however_often_something_comes(now):
    clock = Clock(LIMITS, now=now)
    while now.seconds < 119:
        now.seconds += 1
        clock.progress()
    assert clock.remaining() == 1
    assert ended(clock, now, 120) == "attempt"


def test_the_deadline_of_the_call_ends_the_attempt(now):
    clock = Clock(LIMITS, 103, now)
    clock.sent()
    assert clock.remaining() == 3
    assert ended(clock, now, 103) == "total"


def test_a_deadline_that_is_the_attempts_own_limit_is_called_that(now):
    clock = Clock(LIMITS, 119.99, now)
    assert clock.remaining() == pytest.approx(19.99)
    assert ended(clock, now, 119.99) == "attempt"


def test_without_limits_there_is_none(now):
    clock = Clock(Timeouts(None, None, None, None), now=now)
    clock.connecting()
    now.seconds += 1e9
    assert clock.remaining() is None


def test_a_limit_of_zero_has_passed_at_once(now):
    clock = Clock(Timeouts(connect=0), now=now)
    clock.connecting()
    assert ended(clock, now, 100) == "connect"
