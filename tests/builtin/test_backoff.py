"""The failure policy ``backoff-then-fallback``, as the pure function that it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import Failure, FallBack, Profile, RateLimited, Retry, RetryConfig, ServerError
from roleforge_llm_builtin.backoff import BackoffThenFallback, backoff_delay, backoff_then_fallback

EXACT = RetryConfig(jitter_factor=0)


def failure(number=1, *, retryable=True, retry_after=None, jitter=0.0, remaining=None):
    error = RateLimited("x", kind="status", status=429, retry_after=retry_after)
    return Failure(error=error, retryable=retryable, number=number, jitter=jitter, remaining=remaining)


def test_the_delays_are_exactly_1_2_and_4_seconds():
    policy = BackoffThenFallback(EXACT)
    assert [policy.decide(failure(number, jitter=0.9)) for number in (1, 2, 3)] == [Retry(1.0), Retry(2.0), Retry(4.0)]


def test_after_max_retries_it_falls_back():
    assert BackoffThenFallback(EXACT).decide(failure(4)) == FallBack("maxRetries is 3")


@given(number=st.integers(1, 3), jitter=st.floats(0, 1, exclude_max=True))
def test_jitter_adds_at_most_its_factor(number, jitter):
    delay = backoff_delay(RetryConfig(jitter_factor=0.1), number, jitter)
    exact = 2.0 ** (number - 1)
    assert exact <= delay <= 1.1 * exact


@given(
    retries=st.integers(0, 20),
    initial=st.integers(0, 10_000),
    multiplier=st.floats(1, 100),
    number=st.integers(1, 40),
    jitter=st.floats(0, 1, exclude_max=True),
    retry_after=st.none() | st.floats(0, 1e6),
)
def test_for_any_settings_it_never_waits_too_long_nor_retries_too_often(
    retries, initial, multiplier, number, jitter, retry_after
):
    config = RetryConfig(max_retries=retries, initial_delay_ms=initial, backoff_multiplier=multiplier)
    decision = BackoffThenFallback(config).decide(failure(number, jitter=jitter, retry_after=retry_after))
    if isinstance(decision, Retry):
        assert number <= retries
        assert 0 <= decision.delay <= 60
        assert decision.delay >= (retry_after or 0)


def test_what_is_not_retryable_falls_back_at_once():
    assert BackoffThenFallback(EXACT).decide(failure(retryable=False)) == FallBack("a retry cannot help")


@pytest.mark.parametrize(("retry_after", "delay"), [(None, 1.0), (0.2, 1.0), (7.5, 7.5), (60.0, 60.0)])
def test_retry_after_raises_the_delay_and_never_lowers_it(retry_after, delay):
    assert BackoffThenFallback(EXACT).decide(failure(retry_after=retry_after)) == Retry(delay)


def test_a_wait_above_max_delay_means_falling_back_now():
    assert BackoffThenFallback(EXACT).decide(failure(retry_after=61)) == FallBack("a wait of 61 s is above maxDelayMs")


def test_a_wait_that_would_pass_the_deadline_means_falling_back_now():
    decide = BackoffThenFallback(EXACT).decide
    assert decide(failure(remaining=1.5)) == Retry(1.0)
    assert decide(failure(remaining=1.0)) == FallBack("a wait of 1 s would pass the deadline")


def test_it_is_the_same_for_a_503():
    error = ServerError("x", kind="status", status=503)
    assert BackoffThenFallback(EXACT).decide(Failure(error=error, retryable=True)) == Retry(1.0)


@pytest.mark.parametrize(
    ("config", "limits"),
    [
        (RetryConfig(), (4, 180.0)),
        (RetryConfig(max_retries=0), (1, 0.0)),
        (RetryConfig(max_retries=10, max_delay_ms=4000), (4, 12.0)),
        (RetryConfig(max_retries=1000, backoff_multiplier=1, initial_delay_ms=0, max_delay_ms=0), (1001, 0.0)),
    ],
)
def test_its_limits_are_finite_and_the_worst_case(config, limits):
    assert backoff_then_fallback.limits(Profile("a", retry_config=config)) == limits
