"""What a call does after a failure: retry, fall back, give up."""

from __future__ import annotations

import asyncio
import logging
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf

HELLO = [{"role": "user", "content": "Hello"}]


def busy(**more):
    return rf.ServerError("busy", kind="status", status=503, **more)


def wrong_key():
    return rf.AuthenticationFailed("wrong key", kind="status", status=401)


def test_a_reply_comes_from_the_default_profile(make):
    bench = make(a=("Hi.",))
    completion = bench.client.complete(HELLO)
    assert (completion.text, completion.profile, completion.format) == ("Hi.", "a", "chatml")
    assert [str(attempt) for attempt in completion.attempts] == ["a, attempt 1: ok"]


def test_three_retries_mean_at_most_four_requests_and_the_waits_double(make):
    bench = make(a=(busy(),))
    with pytest.raises(rf.AllProfilesFailed) as caught:
        bench.client.complete(HELLO)
    assert bench.counts() == {"a": 4}
    assert [attempt.waited for attempt in caught.value.attempts] == [0, 1, 2, 4]


def test_a_retry_that_works_ends_the_call(make):
    bench = make(a=(busy(), busy(), "Hi."), b=("never",))
    completion = bench.client.complete(HELLO)
    assert (completion.text, bench.counts()) == ("Hi.", {"a": 3, "b": 0})
    assert [(a.number, a.ok) for a in completion.attempts] == [(1, False), (2, False), (3, True)]


def test_profiles_are_tried_in_order_each_with_its_own_retries(make):
    bench = make(
        a=(busy(),),
        b=(busy(),),
        c=("Hi.",),
        settings={"a": {"retryConfig": {"maxRetries": 1}}, "b": {"retryConfig": {"maxRetries": 2}}},
    )
    completion = bench.client.complete(HELLO)
    assert (completion.profile, bench.counts()) == ("c", {"a": 2, "b": 3, "c": 1})


def test_each_profile_gets_the_conversation_in_its_own_format_with_its_own_stops(make):
    bench = make(
        a=(wrong_key(),),
        b=("Hi.",),
        settings={"b": {"template": "alpaca", "sampler": {"stop": ["END"], "temperature": 0}}},
    )
    completion = bench.client.complete(HELLO, temperature=0.5)
    assert completion.format == "alpaca"
    (first,), (second,) = bench.backends["a"].requests, bench.backends["b"].requests
    assert first.prompt == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert second.prompt == "### Instruction:\nHello\n### Response:\n"
    assert second.stop == ("### Input:", "### Instruction:", "### Response:", "END")
    assert second.sampler.temperature == 0.5


def test_what_a_retry_cannot_cure_goes_to_the_next_profile_at_once(make):
    bench = make(a=(wrong_key(),), b=("Hi.",))
    assert bench.client.complete(HELLO).profile == "b"
    assert bench.counts() == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("error", "requests"),
    [
        (rf.ConnectFailed("x", kind="refused"), 4),
        (rf.ConnectFailed("x", kind="reset"), 4),
        (rf.ConnectFailed("x", kind="dns"), 1),
        (rf.ConnectFailed("x", kind="tls"), 1),
        (rf.ConnectFailed("x", kind="protocol"), 1),
        (rf.Timeout("x", kind="connect"), 4),
        (rf.Timeout("x", kind="first-token"), 4),
        (rf.RateLimited("x", kind="status", status=429), 4),
        (rf.RateLimited("x", kind="quota", status=429), 1),
        (rf.ServerError("x", kind="status", status=500, should_retry=False), 1),
        (rf.ServerError("x", kind="status", status=409), 4),
        (rf.InvalidRequest("x", kind="status", status=400, should_retry=True), 1),
        (rf.NotFound("x", kind="status", status=404), 1),
        (rf.ContextTooLong("x", kind="status", status=400), 1),
        (rf.BadReply("x", kind="unreadable"), 4),
        (rf.BadReply("x", kind="shape"), 1),
        (rf.BadReply("x", kind="redirect", status=307), 1),
        (rf.StreamBroken("x", kind="closed"), 4),
        (rf.TooLarge("x", kind="body"), 1),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.kind}" if isinstance(value, rf.BackendError) else str(value),
)
def test_retries_follow_the_class_and_kind_of_the_error(make, error, requests):
    bench = make(a=(error,))
    with pytest.raises(rf.AllProfilesFailed):
        bench.client.complete(HELLO)
    assert bench.counts() == {"a": requests}


def test_retry_after_raises_the_wait(make):
    bench = make(a=(rf.RateLimited("slow down", kind="status", status=429, retry_after=7.5), "Hi."))
    assert bench.client.complete(HELLO).attempts[1].waited == 7.5


def test_retry_after_beyond_the_longest_delay_means_the_next_profile_now(make):
    bench = make(a=(rf.RateLimited("slow down", kind="status", status=429, retry_after=86400),), b=("Hi.",))
    assert bench.client.complete(HELLO).profile == "b"
    assert bench.counts() == {"a": 1, "b": 1}


def test_all_profiles_failed_tells_the_whole_sequence(make):
    bench = make(a=(wrong_key(),), b=(busy(),), settings={"b": {"retryConfig": {"maxRetries": 1}}})
    with pytest.raises(rf.AllProfilesFailed) as caught:
        bench.client.complete(HELLO)
    error = caught.value
    assert str(error).splitlines() == [
        "no profile gave a reply: 3 attempts failed",
        "  a, attempt 1: AuthenticationFailed: wrong key -> fall back to b (a retry cannot help)",
        "  b, attempt 1: ServerError: busy -> retry in 1 s",
        "  b, attempt 2 after 1 s: ServerError: busy -> no profile left (maxRetries is 1)",
    ]
    assert [type(e) for e in error.errors] == [rf.AuthenticationFailed, rf.ServerError, rf.ServerError]
    assert error.__cause__ is error.errors[-1]
    assert (error.errors[-1].profile, error.errors[-1].attempt, error.errors[-1].status) == ("b", 2, 503)


def test_every_failure_is_one_log_line(make, caplog):
    bench = make(a=(busy(), wrong_key()), b=("Hi.",))
    with caplog.at_level(logging.INFO, "roleforge_llm"):
        bench.client.complete(HELLO)
    assert [record.getMessage() for record in caplog.records if record.name == "roleforge_llm"] == [
        "LLM API call failed: profile=a attempt=1 error=ServerError: busy wait=1s next=retry in 1 s",
        "LLM API call failed: profile=a attempt=2 error=AuthenticationFailed: wrong key wait=0s "
        "next=fall back to b (a retry cannot help)",
        "LLM API call succeeded: profile=b attempt=1",
    ]


def test_events_tell_the_same_story(make):
    bench = make(a=(busy(), wrong_key()), b=("Hi.",))
    bench.client.complete(HELLO)
    assert bench.kinds() == [
        "attempt-started", "attempt-failed", "retry-scheduled",
        "attempt-started", "attempt-failed", "fell-back",
        "attempt-started", "finished",
    ]  # fmt: skip
    assert {event.call for event in bench.events} == {bench.events[0].call}
    fell_back = bench.events[5]
    assert (fell_back.profile, fell_back.number, fell_back.next_profile) == ("a", 2, "b")


def test_an_exception_of_the_backend_itself_goes_to_the_next_profile(make):
    bench = make(a=(ZeroDivisionError("oops"),), b=("Hi.",))
    completion = bench.client.complete(HELLO)
    assert completion.attempts[0].error == "BackendError: the backend a raised ZeroDivisionError: oops"
    assert completion.profile == "b"


def test_a_classifier_of_a_plugin_is_asked_first(make):
    class Stubborn:
        @rf.hookimpl
        def roleforge_classify_error(self, error, attempt):
            if isinstance(error, ZeroDivisionError) and attempt.number == 1:
                return rf.Failure(error=rf.ServerError("divided by zero", kind="status"), retryable=True)
            return None

    bench = make(plugins=(Stubborn(),), a=(ZeroDivisionError("oops"), "Hi."))
    assert bench.client.complete(HELLO).text == "Hi."


def test_the_error_is_masked_wherever_it_shows(make, caplog, monkeypatch):
    monkeypatch.setenv("CANARY_KEY", "sk-canary-123")
    bench = make(a=(wrong_key_with("sk-canary-123"),), settings={"a": {"apiKey": "${CANARY_KEY}"}})
    with caplog.at_level(logging.DEBUG), pytest.raises(rf.AllProfilesFailed) as caught:
        bench.client.complete(HELLO)
    shown = [str(caught.value), repr(caught.value), repr(caught.value.errors), str(caught.value.attempts), caplog.text]
    shown.append(str(pickle.loads(pickle.dumps(caught.value))))
    shown += [repr(event) for event in bench.events]
    assert not any("sk-canary" in text for text in shown)
    assert "bad key ***" in shown[0]


def wrong_key_with(key):
    return rf.AuthenticationFailed(f"bad key {key}", kind="status", status=401)


def test_an_exhausted_call_survives_pickling(make):
    bench = make(a=(wrong_key(),))
    with pytest.raises(rf.AllProfilesFailed) as caught:
        bench.client.complete(HELLO)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert (copy.errors[0].status, copy.errors[0].kind) == (401, "status")


def test_no_wait_passes_the_deadline(make):
    bench = make(a=(busy(),), b=("Hi.",))
    completion = bench.client.complete(HELLO, timeout=2.5)
    assert bench.counts() == {"a": 3, "b": 1}, "the clock stands still: 1 s and 2 s fit, 4 s would not"
    assert completion.profile == "b"
    bench = make(a=(busy(),), b=("Hi.",))
    bench.client.complete(HELLO, timeout=0.5)
    assert bench.counts() == {"a": 1, "b": 1}


def test_after_the_deadline_nothing_more_is_tried(make):
    bench = make(a=(busy(),), b=("Hi.",))
    original = bench.backends["a"].complete

    def slow(request):
        bench.clock.now += 10
        return original(request)

    bench.backends["a"].complete = slow
    with pytest.raises(rf.AllProfilesFailed, match="the time limit of 5 s for the whole call passed"):
        bench.client.complete(HELLO, timeout=5)
    assert bench.counts() == {"a": 1, "b": 0}


def test_requests_carry_the_nearer_of_attempt_limit_and_deadline(make):
    bench = make(a=("Hi.",), settings={"a": {"timeouts": {"attempt": 30}}})
    bench.client.complete(HELLO, timeout=5)
    bench.client.complete(HELLO, timeout=500)
    assert [request.deadline for request in bench.backends["a"].requests] == [1005.0, 1030.0]


class TestLoading:
    """A server that is loading its model is waited for on a budget of its own."""

    LOADING = rf.ServerError("loading the model", kind="loading", status=503)

    def test_it_uses_up_no_retry(self, make):
        bench = make(a=(*[self.LOADING] * 9, "Hi."), settings={"a": {"retryConfig": {"maxRetries": 0}}})
        completion = bench.client.complete(HELLO)
        assert [str(attempt) for attempt in completion.attempts] == ["a, attempt 1: ok"]
        assert bench.kinds() == [*["attempt-started", "server-loading"] * 9, "attempt-started", "finished"]

    def test_beyond_the_budget_it_is_a_failure_like_others(self, make):
        bench = make(
            a=(self.LOADING,),
            b=("Hi.",),
            settings={"a": {"timeouts": {"loading": 10}, "retryConfig": {"maxRetries": 1}}},
        )
        completion = bench.client.complete(HELLO)
        assert completion.profile == "b"
        assert [(a.profile, a.number) for a in completion.attempts] == [("a", 1), ("a", 2), ("b", 1)]
        assert sum(event.wait for event in bench.events if event.kind == "server-loading") <= 10

    def test_without_a_budget_it_is_retried_as_any_503(self, make):
        bench = make(a=(self.LOADING,), settings={"a": {"timeouts": {"loading": 0}}})
        with pytest.raises(rf.AllProfilesFailed):
            bench.client.complete(HELLO)
        assert bench.counts() == {"a": 4}

    def test_it_never_waits_past_the_deadline(self, make):
        bench = make(a=(self.LOADING,), b=("Hi.",))
        assert bench.client.complete(HELLO, timeout=0.2).profile == "b"
        assert bench.counts() == {"a": 1, "b": 1}


class TestPolicies:
    """Whatever a policy decides, the host holds it to what it declared."""

    @staticmethod
    def policy(decide, limits=(5, 100.0)):
        class Policy(rf.FailurePolicy):
            def decide(self, failure):
                return decide(failure)

        return rf.PolicySpec("mine", lambda profile: Policy(), lambda profile: limits)

    def make(self, make, decide, limits=(5, 100.0), **scripts):
        used = {name: {"failurePolicy": "mine"} for name in scripts}
        return make(policies=(self.policy(decide, limits),), settings=used, **scripts)

    def test_a_policy_that_always_retries_is_held_to_its_requests(self, make):
        bench = self.make(make, lambda failure: rf.Retry(0), a=(busy(),), b=("Hi.",))
        assert bench.client.complete(HELLO).profile == "b"
        assert bench.counts()["a"] == 5

    def test_and_to_its_seconds_of_waiting(self, make):
        bench = self.make(make, lambda failure: rf.Retry(40), a=(busy(),), b=("Hi.",))
        completion = bench.client.complete(HELLO)
        assert sum(attempt.waited for attempt in completion.attempts) <= 100
        assert bench.counts()["a"] == 3

    def test_giving_up_raises_the_error_itself(self, make):
        bench = self.make(make, lambda failure: rf.GiveUp("enough"), a=(busy(),), b=("Hi.",))
        with pytest.raises(rf.ServerError) as caught:
            bench.client.complete(HELLO)
        assert caught.value.attempts[0].next == "give up (enough)"
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        "nonsense", [None, 3, rf.Retry(-1), rf.Retry(float("nan")), rf.Retry(float("inf"))], ids=repr
    )
    def test_a_decision_that_is_none_falls_back(self, make, nonsense):
        bench = self.make(make, lambda failure: nonsense, a=(busy(),), b=("Hi.",))
        assert bench.client.complete(HELLO).profile == "b"

    def test_a_policy_that_raises_falls_back(self, make):
        bench = self.make(make, lambda failure: 1 / 0, a=(busy(),), b=("Hi.",))
        assert bench.client.complete(HELLO).profile == "b"

    def test_it_is_told_what_happened(self, make):
        seen = []

        def decide(failure):
            seen.append(failure)
            return rf.Retry(0) if failure.number < 2 else rf.FallBack()

        bench = self.make(make, decide, a=(busy(),), b=("Hi.",))
        bench.client.complete(HELLO, timeout=9)
        first, second = seen
        assert (first.profile, first.number, first.attempts, first.profiles_left) == ("a", 1, (), ("b",))
        assert (second.number, len(second.attempts), second.remaining, second.retryable) == (2, 1, 9.0, True)

    def test_route_decides_the_order(self, make):
        class Reverse(rf.FailurePolicy):
            def decide(self, failure):
                return rf.FallBack()

            def route(self, profiles, health):
                return [*reversed(profiles), "unknown"]

        spec = rf.PolicySpec("mine", lambda profile: Reverse(), lambda profile: (1, 0.0))
        bench = make(policies=(spec,), settings={"a": {"failurePolicy": "mine"}}, a=("A",), b=("B",), c=(wrong_key(),))
        assert bench.client.complete(HELLO).text == "B"
        assert bench.counts() == {"a": 0, "b": 1, "c": 1}


class TestCooldown:
    """A profile that exhausted its retries rests."""

    def test_the_second_call_goes_straight_to_the_fallback(self, make):
        bench = make(a=(busy(),), b=("Hi.",), settings={"a": {"cooldownSeconds": 30}})
        bench.client.complete(HELLO)
        assert bench.counts() == {"a": 4, "b": 1}
        bench.client.complete(HELLO)
        assert bench.counts() == {"a": 4, "b": 2}

    def test_after_the_rest_one_call_tries_it_again(self, make):
        bench = make(a=(busy(), busy(), busy(), busy(), "back"), b=("Hi.",), settings={"a": {"cooldownSeconds": 30}})
        bench.client.complete(HELLO)
        bench.clock.now += 31
        assert bench.client.complete(HELLO).text == "back"
        assert bench.client.complete(HELLO).text == "back"

    def test_when_all_rest_the_error_says_so(self, make):
        bench = make(a=(busy(),), settings={"a": {"cooldownSeconds": 30}})
        with pytest.raises(rf.AllProfilesFailed):
            bench.client.complete(HELLO)
        with pytest.raises(rf.AllProfilesFailed, match=r"every profile is resting .*: a; try again later") as caught:
            bench.client.complete(HELLO)
        assert caught.value.attempts == ()

    def test_what_a_retry_cannot_cure_does_not_rest_the_profile(self, make):
        bench = make(a=(wrong_key(),), b=("Hi.",), settings={"a": {"cooldownSeconds": 30}})
        bench.client.complete(HELLO)
        bench.client.complete(HELLO)
        assert bench.counts() == {"a": 2, "b": 2}


class TestPlan:
    """``plan`` is the worst case, and it is true."""

    def test_the_default_profile(self, make):
        plan = make(a=("x",), b=("x",)).client.plan()
        assert (plan.max_requests, plan.max_wait_seconds) == (8, 360.0)

    def test_it_is_reached_exactly_by_servers_that_ask_for_the_longest_wait(self, make):
        bench = make(a=(rf.RateLimited("x", kind="status", status=429, retry_after=60),))
        plan = bench.client.plan()
        with pytest.raises(rf.AllProfilesFailed) as caught:
            bench.client.complete(HELLO)
        assert len(caught.value.attempts) == plan.max_requests
        assert sum(attempt.waited for attempt in caught.value.attempts) == plan.max_wait_seconds

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        retries=st.integers(0, 6),
        initial=st.integers(0, 5000),
        multiplier=st.floats(1, 10),
        factor=st.floats(0, 3),
        longest=st.integers(0, 20000),
        jitter=st.floats(0, 1, exclude_max=True),
        script=st.lists(st.sampled_from([None, 0.5, 3.0, 15.0, 100.0, "401", "ok"]), min_size=1, max_size=8),
    )
    def test_no_fault_script_ever_exceeds_it(self, make, retries, initial, multiplier, factor, longest, jitter, script):
        retry = {
            "maxRetries": retries,
            "initialDelayMs": initial,
            "backoffMultiplier": multiplier,
            "jitterFactor": factor,
            "maxDelayMs": longest,
        }
        bench = make(settings={"a": {"retryConfig": retry}}, jitter=jitter, a=tuple(map(step, script)))
        plan = bench.client.plan()
        try:
            attempts = bench.client.complete(HELLO).attempts
        except rf.AllProfilesFailed as error:
            attempts = error.attempts
        assert len(attempts) == len(bench.backends["a"].requests) <= plan.max_requests
        assert sum(attempt.waited for attempt in attempts) <= plan.max_wait_seconds * (1 + 1e-9)


def step(what):
    if what == "ok":
        return "Hi."
    if what == "401":
        return wrong_key()
    return rf.RateLimited("x", kind="status", status=429, retry_after=what)


def test_async_calls_decide_alike(make):
    """The same scripts give the same attempts, events and errors."""
    for scripts in (
        {"a": ("Hi.",)},
        {"a": (busy(), "Hi.")},
        {"a": (busy(),), "b": (wrong_key(),), "c": ("Hi.",)},
        {"a": (busy(),), "b": (busy(),)},
    ):
        one, two = make(**scripts), make(**scripts)
        assert outcome(one.client.complete) == outcome(
            lambda messages, client=two.aclient: asyncio.run(client.complete(messages))
        )
        assert one.kinds() == two.kinds()


def outcome(call):
    try:
        completion = call(HELLO)
    except rf.AllProfilesFailed as error:
        return str(error)
    return completion.text, [str(attempt) for attempt in completion.attempts]
