"""Whatever a third party's policy says or does, a call stays within its plan and ends in an error of ours."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import FaultServer

from .conftest import ThirdParty, policy  # type: ignore[import-not-found]  # beside this file

HELLO = [{"role": "user", "content": "Hello!"}]
MINE = {"failurePolicy": "mine"}


@pytest.mark.parametrize(
    "limits",
    [
        (0, 1.0),
        (-1, 1.0),
        (True, 1.0),
        (2.5, 1.0),
        (float("nan"), 1.0),
        (2, float("nan")),
        (2, -1.0),
        ("2", 1.0),
        (2,),
        None,
    ],
    ids=repr,
)
def test_limits_that_no_call_can_be_held_to_are_refused_before_anything_is_sent(
    client: Callable[..., rf.Client], server: FaultServer, limits: Any
) -> None:
    session = server.session("503")
    bad = client({"a": {"baseURL": session.base_url, **MINE}}, policy(lambda _: rf.Retry(0), lambda: limits))
    for use in (bad.plan, lambda: bad.complete(HELLO)):
        with pytest.raises(rf.ConfigError, match="failurePolicy: the policy mine cannot be used"):
            use()
    assert session.count == 0


def test_a_policy_that_cannot_be_made_is_a_fault_of_its_profile(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    bad = client({"a": {"baseURL": server.base_url, **MINE}}, policy(lambda _: rf.Retry(0), lambda: 1 / 0))
    with pytest.raises(rf.ConfigError, match=r"profiles\.a\.failurePolicy: .* ZeroDivisionError"):
        bad.complete(HELLO)


@pytest.mark.parametrize(
    "delay", ["3", None, dt.timedelta(1), 10**400, [1], 1j], ids=lambda delay: type(delay).__name__
)
def test_a_delay_that_is_no_number_of_seconds_falls_back(
    client: Callable[..., rf.Client], server: FaultServer, delay: Any
) -> None:
    profiles = {"a": {"baseURL": server.session("503").base_url, **MINE}, "b": {"baseURL": server.base_url}}
    assert client(profiles, policy(lambda _: rf.Retry(delay))).complete(HELLO).profile == "b"


@pytest.mark.parametrize(
    "order", [None, 5, [["a"]], (1 / n for n in (1, 0))], ids=["nothing", "a number", "no names", "breaks off"]
)
def test_an_order_that_is_none_leaves_the_profiles_as_they_are(
    client: Callable[..., rf.Client], server: FaultServer, order: Any
) -> None:
    profiles = {"a": {"baseURL": server.base_url, **MINE}, "b": {"baseURL": server.base_url}}
    spec = policy(lambda _: rf.FallBack(), route=lambda profiles, health: order)
    assert client(profiles, spec).complete(HELLO).profile == "a"


def test_the_limit_of_a_call_is_that_of_the_profile_asked_for_whatever_the_order(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    spec = policy(lambda _: rf.Retry(4), route=lambda profiles, health: reversed(profiles))
    profiles = {
        "a": {"baseURL": server.base_url, "timeouts": {"total": 3}, **MINE},
        "b": {"baseURL": server.session("503").base_url, **MINE},
    }
    calling = client(profiles, spec)
    completion = calling.complete(HELLO)
    assert calling.plan().max_wait_seconds == 3
    assert [attempt.waited for attempt in completion.attempts] == [0, 0]


SCRIPT = st.lists(
    st.sampled_from(
        ["ok", "500", "401", "429_ra_1s", "429_ra_huge", "503_loading", "sse_reset_mid", "short_body", "html_200"]
    ),
    min_size=1,
    max_size=6,
)
DELAYS = st.one_of(st.floats(0, 200), st.just(float("inf")), st.just(float("nan")), st.just(-1.0))
DECISIONS = st.one_of(
    DELAYS.map(rf.Retry),
    st.just(rf.FallBack("so")),
    st.just(rf.GiveUp("so")),
    st.just(None),
    st.just(ZeroDivisionError),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scripts=st.lists(SCRIPT, min_size=1, max_size=3),
    decisions=st.lists(DECISIONS, min_size=1, max_size=8),
    limits=st.tuples(st.integers(1, 5), st.floats(0, 300)),
    builtin=st.booleans(),
    retries=st.integers(0, 4),
    cooldown=st.sampled_from([0, 30]),
    loading=st.sampled_from([0, 1]),
    total=st.none() | st.floats(1, 50),
    jitter=st.floats(0, 1, exclude_max=True),
    stream=st.booleans(),
)
def test_no_policy_and_no_fault_makes_a_call_exceed_its_plan(
    client: Callable[..., rf.Client],
    server: FaultServer,
    scripts: list[list[str]],
    decisions: list[Any],
    limits: tuple[int, float],
    builtin: bool,
    retries: int,
    cooldown: int,
    loading: int,
    total: float | None,
    jitter: float,
    stream: bool,
) -> None:
    """Requests as the servers saw them, waits as the attempts tell; polls of a loading server are counted apart."""
    drawn = iter(decisions * 20)

    def decide(failure: rf.Failure) -> Any:
        decision = next(drawn)
        if decision is ZeroDivisionError:
            raise ZeroDivisionError
        return decision

    sessions = [server.session(script) for script in scripts]
    chosen = {} if builtin else MINE
    common = {**chosen, "retryConfig": {"maxRetries": retries}, "cooldownSeconds": cooldown}
    limited = {**common, "timeouts": {"total": total, "loading": loading} if total else {"loading": loading}}
    profiles = {str(n): {"baseURL": session.base_url, **limited} for n, session in enumerate(sessions)}
    watching = ThirdParty()
    calling = client(profiles, policy(decide, limits), watching, jitter=lambda: jitter, clock=watching.clock)
    plan = calling.plan()
    for _ in range(2):
        before, watching.events[:] = sum(session.count for session in sessions), []
        attempts = asked(calling, stream)
        polls = sum(event.kind == "server-loading" for event in watching.events)
        waited = sum(attempt.waited for attempt in attempts)
        assert sum(session.count for session in sessions) - before <= plan.max_requests + polls
        assert len(attempts) <= plan.max_requests
        assert waited <= plan.max_wait_seconds * (1 + 1e-9)


def asked(calling: rf.Client, stream: bool) -> tuple[rf.Attempt, ...]:
    try:
        if not stream:
            return calling.complete(HELLO).attempts
        with calling.stream(HELLO) as pieces:
            list(pieces)
        return pieces.completion.attempts
    except (rf.AllProfilesFailed, rf.BackendError) as error:
        return error.attempts


def test_a_configured_key_that_is_taken_away_later_is_one_more_failure(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends in an error of ours, or at the fallback; the variable may come back."""
    monkeypatch.setenv("ROLEFORGE_TEST_KEY", "a-key")
    profile = {"baseURL": server.base_url, "apiKeyEnv": "ROLEFORGE_TEST_KEY"}
    with rf.Client(parse_config({"profiles": {"a": profile}})) as calling:
        calling.complete(HELLO)
        monkeypatch.delenv("ROLEFORGE_TEST_KEY")
        with pytest.raises(rf.AllProfilesFailed, match="ROLEFORGE_TEST_KEY is not set"):
            calling.complete(HELLO)
