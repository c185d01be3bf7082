"""How a call chooses among its profiles: what a policy's ``route`` is told, and when it is asked."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import ScriptedBackend

HELLO = [{"role": "user", "content": "Hello"}]
BUSY = rf.ServerError("busy", kind="status", status=503)
MINE = {"failurePolicy": "mine"}


class Idlest(rf.FailurePolicy):
    """The profile with the least in flight; notes all that it is asked."""

    def __init__(self):
        self.asked = []
        self.failures = []

    def decide(self, failure):
        self.failures.append(failure)
        return rf.FallBack()

    def route(self, profiles, health):
        self.asked.append((tuple(profiles), health))
        return sorted(profiles, key=lambda name: health[name].in_flight if name in health else 0)

    def spec(self, **more):
        return rf.PolicySpec("mine", lambda profile: self, lambda profile: (3, 9.0), **more)

    @property
    def health(self):
        """The last health that it was told of."""
        return self.asked[-1][1]


@pytest.fixture
def policy():
    return Idlest()


@pytest.fixture
def bench(make, policy):
    """Makes a bench whose first profile has the policy."""
    return lambda **scripts: make(policies=(policy.spec(),), settings=dict.fromkeys(scripts, MINE), **scripts)


def names(asked):
    return [profiles for profiles, _ in asked]


def test_it_is_asked_at_the_beginning_and_after_each_failure_with_those_that_are_left(bench, policy):
    calling = bench(a=(BUSY,), b=(BUSY,), c=("Hi.",), d=("never",))
    assert calling.client.complete(HELLO).profile == "c"
    assert names(policy.asked) == [("a", "b", "c", "d"), ("b", "c", "d"), ("c", "d")]


def test_it_is_not_asked_where_there_is_nothing_to_choose(bench, policy):
    bench(a=("Hi.",)).client.complete(HELLO)
    bench(a=(BUSY,), b=("Hi.",)).client.complete(HELLO)
    assert names(policy.asked) == [("a", "b")]


def test_the_profiles_come_in_the_configured_order_however_they_were_ordered_before(bench, policy):
    policy.route = lambda profiles, health: (policy.asked.append((tuple(profiles), health)), profiles[::-1])[1]
    calling = bench(a=("never",), b=("Hi.",), c=(BUSY,), d=(BUSY,))
    assert calling.client.complete(HELLO).profile == "b"
    assert names(policy.asked) == [("a", "b", "c", "d"), ("a", "b", "c"), ("a", "b")]


def test_what_it_leaves_out_has_no_turn_in_this_call(bench, policy):
    policy.route = lambda profiles, health: [name for name in profiles if name != "b"]
    calling = bench(a=(BUSY,), b=("never",), c=(BUSY,))
    with pytest.raises(rf.AllProfilesFailed):
        calling.client.complete(HELLO)
    assert calling.counts() == {"a": 1, "b": 0, "c": 1}


def test_what_follows_is_what_was_told_to_follow(bench):
    calling = bench(a=("A",), b=(BUSY,), c=("C",))
    with calling.client.stream(HELLO, "a"):  # a has one in flight, so b is the first
        completion = calling.client.complete(HELLO)
    assert [attempt.profile for attempt in completion.attempts] == ["b", "c"]
    assert completion.attempts[0].next == "fall back to c"


def test_calls_that_begin_together_do_not_all_take_the_same_profile(bench):
    calling, streams = bench(a=("A",), b=("B",), c=("C",)), []
    together = threading.Barrier(12)

    def begin():
        together.wait()
        streams.append(calling.client.stream(HELLO))

    threads = [threading.Thread(target=begin) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter("".join(stream) for stream in streams) == {"A": 4, "B": 4, "C": 4}


def test_async_calls_that_begin_together_do_not_either(bench):
    calling = bench(a=("A",), b=("B",), c=("C",))

    async def ask():
        return await asyncio.gather(*(calling.aclient.complete(HELLO) for _ in range(12)))

    assert Counter(completion.profile for completion in asyncio.run(ask())) == {"a": 4, "b": 4, "c": 4}


class TestHealth:
    """What the policy is told of each profile."""

    def test_an_attempt_counts_from_the_moment_at_which_its_profile_was_chosen(self, bench, policy):
        calling = bench(a=("A",), b=("B",))
        with calling.client.stream(HELLO):
            calling.clock.now += 5
            calling.client.stream(HELLO)
            health = policy.health["a"]
        assert (health.in_flight, health.started, health.recent, health.last_start) == (1, 1, 1, 1000)
        assert health.now == 1005

    def test_a_stream_that_nobody_reads_or_closes_counts_for_nothing(self, bench, policy):
        calling = bench(a=("A",), b=("B",))
        for _ in range(3):
            calling.client.stream(HELLO)
        calling.client.stream(HELLO)
        assert policy.health["a"] == rf.Health(last_start=1000, now=1000)

    def test_a_stream_that_is_dropped_in_the_middle_is_no_longer_in_flight(self, bench, policy):
        calling = bench(a=(["o", "ne"],), b=("B",))
        next(calling.client.stream(HELLO))
        calling.client.stream(HELLO)
        health = policy.health["a"]
        assert (health.in_flight, health.started, health.consecutive_failures) == (0, 1, 0)

    def test_so_is_an_async_one(self, bench, policy):
        calling = bench(a=(["o", "ne"],), b=("B",))

        async def drop():
            stream = calling.aclient.stream(HELLO)
            await anext(stream)
            await stream._drop()
            del stream

        asyncio.run(drop())
        calling.aclient.stream(HELLO)
        assert policy.health["a"].in_flight == 0

    def test_what_cannot_be_sent_counts_for_nothing(self, make, policy):
        settings = {"a": {**MINE, "endpoint": "chat"}, "b": {"endpoint": "chat"}}
        calling = make(policies=(policy.spec(),), settings=settings, a=("A",), b=("B",))
        with pytest.raises(rf.MessageError):
            calling.client.complete([*HELLO, {"role": "assistant", "content": "Well"}])
        calling.client.complete(HELLO)
        assert policy.health["a"] == rf.Health(last_start=1000, now=1000)

    @pytest.mark.parametrize(
        ("error", "counts"),
        [
            (BUSY, 1),
            (rf.NotFound("no such model", kind="status", status=404), 1),
            (rf.AuthenticationFailed("wrong key", kind="status", status=401), 1),
            (rf.InvalidRequest("no such setting", kind="status", status=400), 0),
            (rf.ContextTooLong("too long", kind="status", status=400), 0),
        ],
        ids=["503", "404", "401", "400", "too-long"],
    )
    def test_an_error_of_the_request_says_nothing_of_the_profile(self, bench, policy, error, counts):
        calling = bench(a=(error,), b=("B",))
        calling.client.complete(HELLO)
        calling.client.complete(HELLO)
        health = policy.health["a"]
        assert (health.in_flight, health.started, health.consecutive_failures) == (0, 1, counts)

    def test_the_first_piece_of_a_reply_ends_the_failures_and_gives_the_latency(self, bench, policy):
        calling = bench(a=(BUSY, ["o", "ne"]), b=("B",))
        calling.client.complete(HELLO)
        with calling.client.stream(HELLO) as stream:
            assert policy.health["a"].consecutive_failures == 1
            next(stream)
            calling.clock.now += 60  # a slow reader is not a slow server
            next(stream)
            calling.client.complete(HELLO)
            health = policy.health["a"]
        assert (health.consecutive_failures, health.latency, health.in_flight) == (0, 0, 1)

    def test_latency_is_a_mean_of_which_the_last_reply_makes_a_quarter(self, bench, policy):
        calling = bench(a=("A",), b=("B",))
        policy.route = lambda profiles, health: (policy.asked.append((profiles, health)), profiles)[1]
        complete, seconds = calling.backends["a"].complete, iter((4, 8, 0, 0))

        def slow(request):
            calling.clock.now += next(seconds)
            return complete(request)

        calling.backends["a"].complete = slow
        for _ in range(4):
            calling.client.complete(HELLO)
        assert policy.health["a"].latency == 0.75 * (0.75 * 4 + 0.25 * 8)

    def test_recent_begins_anew_when_a_profile_fails_or_comes_back_and_is_halved_at_times(self, bench, policy):
        calling = bench(a=(*["A"] * 4, BUSY, "A"), b=("B",))
        for _ in range(4):
            calling.client.complete(HELLO, "a")
        calling.client.complete(HELLO, "a")
        assert policy.health["a"].recent == 4
        calling.client.complete(HELLO)  # a failed, and b took over
        assert (policy.health["a"].recent, policy.health["b"].recent) == (0, 1)
        for _ in range(2000):
            calling.client.complete(HELLO)
        health = policy.health
        assert 512 <= sum(each.recent for each in health.values()) < 1024
        assert sum(each.started for each in health.values()) > 2000

    def test_a_failure_comes_with_the_health_of_the_profiles(self, bench, policy):
        calling = bench(a=(BUSY,), b=("B",))
        calling.client.complete(HELLO, "b")
        calling.client.complete(HELLO)
        assert policy.failures[0].health["b"].started == 1
        assert policy.failures[0].health["a"].consecutive_failures == 1


class TestLoading:
    """A policy can say that a server which loads its model is not worth waiting for."""

    LOADING = rf.ServerError("loading", kind="loading", status=503)

    def make(self, make, policy, **scripts):
        return make(policies=(policy.spec(awaits_loading=False),), settings=dict.fromkeys(scripts, MINE), **scripts)

    def test_while_there_is_another(self, make, policy):
        calling = self.make(make, policy, a=(self.LOADING,), b=("B",))
        assert calling.client.complete(HELLO).profile == "b"
        assert calling.counts() == {"a": 1, "b": 1}

    def test_but_the_last_one_is_waited_for(self, make, policy):
        calling = self.make(make, policy, a=(BUSY,), b=(self.LOADING, self.LOADING, "B"))
        assert calling.client.complete(HELLO).profile == "b"
        assert calling.counts() == {"a": 1, "b": 3}


class TestOptions:
    """``policyOptions`` go to the policy, which says what it takes."""

    @staticmethod
    def faults(written, **spec):
        """What is found wrong with what is *written*, with a policy that takes ``mood`` and wants it good."""

        def factory(profile):
            if profile.policy_options.get("mood", "good") != "good":
                raise rf.ConfigError([rf.Fault("mood", "must be good"), rf.Fault("", "try again")])
            return Idlest()

        class Plugin:
            @rf.hookimpl
            def roleforge_failure_policies(self):
                return [rf.PolicySpec("mine", factory, lambda profile: (1, 0.0), **spec)]

            @rf.hookimpl
            def roleforge_backends(self):
                return [ScriptedBackend("Hi.").spec("scripted")]

        config = parse_config({"profiles": {"my pool": {"backend": "scripted", **MINE, "policyOptions": written}}})
        with rf.Client(config, rf.PluginHost(plugins=[Plugin()])) as client:
            try:
                client.complete(HELLO)
            except rf.ConfigError as error:
                return [str(fault) for fault in error.faults]
        return []

    def test_those_that_the_policy_takes_are_its_own_to_check(self):
        assert self.faults({"mood": "good"}, options=("mood",)) == []
        assert self.faults({"mood": "bad"}, options=("mood",)) == [
            "profiles.my pool.policyOptions.mood: must be good",
            "profiles.my pool.policyOptions: try again",
        ]

    def test_others_are_refused(self):
        assert self.faults({"modo": 1, "x": 1}, options=("mood",)) == [
            "profiles.my pool.policyOptions.modo: the policy mine has no such option; did you mean mood?",
            "profiles.my pool.policyOptions.x: the policy mine has no such option; options: mood",
        ]
        assert self.faults({"x": 1}) == [
            "profiles.my pool.policyOptions.x: the policy mine has no such option; options: none"
        ]
