"""Each rule of the suite for failure policies is broken by a small wrong policy, and told in words."""

from __future__ import annotations

import itertools
import math
import random

import pytest

import roleforge_llm as rf
from roleforge_llm.testing import DoesNotConform, assert_policy_conforms
from roleforge_llm.testing.policies import RULES

LIMITS = (3, 4.0)


class Patient(rf.FailurePolicy):
    """A policy as it should be; those below change one thing."""

    def decide(self, failure):
        if failure.retryable and failure.number < 3:
            return rf.Retry(2.0)
        return rf.FallBack("patience is at an end")


class WithoutDecide(rf.FailurePolicy):
    pass


class Raises(Patient):
    def decide(self, failure):
        return rf.Retry(2.0 / len(failure.error.partial)) if failure.number < 2 else rf.GiveUp()


class GivesSeconds(Patient):
    def decide(self, failure):
        return 2.0 if failure.error.status == 429 else super().decide(failure)


class Explains(Patient):
    def decide(self, failure):
        return rf.FallBack("first line\nsecond line")


class Late(Patient):
    def decide(self, failure):
        return rf.Retry(math.nan) if failure.jitter else super().decide(failure)


class Early(Patient):
    def decide(self, failure):
        return rf.Retry(-1.0) if failure.received else super().decide(failure)


class Counting(Patient):
    def __init__(self):
        self.asked = itertools.count()

    def decide(self, failure):
        return rf.Retry(1.0) if next(self.asked) % 50 == 7 and failure.number < 3 else rf.FallBack("enough")


class Various(Patient):
    made = itertools.count()

    def __init__(self):
        self.number = next(self.made)

    def decide(self, failure):
        return rf.GiveUp("odd" if self.number % 2 else "even")


class Rolling(Patient):
    def decide(self, failure):
        return rf.Retry(random.random()) if failure.number < 3 else rf.GiveUp("enough")


class Marking(Patient):
    def decide(self, failure):
        failure.error.retry_after = 0.0
        return super().decide(failure)


class Endless(Patient):
    def decide(self, failure):
        return rf.Retry(0.0) if failure.retryable else rf.GiveUp("no use")


class Obedient(Patient):
    def decide(self, failure):
        if failure.number < 3:
            return rf.Retry(failure.error.retry_after or 0.0)
        return rf.GiveUp("enough")


class Inventive(Patient):
    def route(self, profiles, health):
        return [*profiles, "another"]


class Repeating(Patient):
    def route(self, profiles, health):
        return [*profiles, profiles[0]]


class Choosy(Patient):
    def route(self, profiles, health):
        return [name for name in profiles if name in health]


class Strict(Patient):
    def route(self, profiles, health):
        return sorted(profiles, key=lambda name: health[name].in_flight)


class Sorting(Patient):
    def route(self, profiles, health):
        profiles.sort(reverse=True)
        return profiles


class Forgetting(Patient):
    def route(self, profiles, health):
        health.clear()
        return profiles


class Taking(Patient):
    def __init__(self):
        self.turn = 0

    def route(self, profiles, health):
        self.turn += 1
        at = self.turn % len(profiles)
        return [*profiles[at:], *profiles[:at]]


WRONG = [
    ("decision", Raises, set(), "ZeroDivisionError"),
    ("decision", GivesSeconds, set(), "2.0"),
    ("decision", WithoutDecide, set(), "None"),
    ("decision", Explains, set(), "FallBack(reason='first line\\nsecond line')"),
    ("delay", Late, {"pure"}, "Retry(delay=nan)"),
    ("delay", Early, set(), "Retry(delay=-1.0)"),
    ("pure", Counting, set(), "at first Retry(delay=1.0), later FallBack(reason='enough')"),
    ("pure", Various, set(), "at first"),
    ("pure", Rolling, set(), "at first Retry(delay=0."),
    ("arguments", Marking, set(), "retry_after=0.0"),
    ("limit-requests", Endless, set(), "Retry(delay=0.0), which would be request 4; limits says 3"),
    ("limit-waiting", Obedient, set(), "Retry(delay=59.0), which makes 59 seconds of waiting; limits says 4"),
    ("route", Inventive, set(), "['first', 'another']"),
    ("route", Repeating, set(), "['first', 'first']"),
    ("route", Choosy, set(), "[]"),
    ("route", Strict, set(), "KeyError: 'first'"),
    ("arguments", Sorting, set(), "afterwards ['second', 'first']"),
    ("arguments", Forgetting, set(), "afterwards ['"),
    ("route-pure", Taking, set(), "at first ['second', 'third', 'first'], later"),
]


def broken(policy, **settings):
    """What *policy* breaks, by rule."""
    with pytest.raises(DoesNotConform) as caught:
        assert_policy_conforms(policy, **settings)
    return {each.rule: each for each in caught.value.broken}


@pytest.mark.parametrize(
    "policy",
    [
        Patient,
        Patient(),
        lambda profile: Patient(),
        rf.PolicySpec("patient", lambda profile: Patient(), lambda profile: LIMITS),
    ],
    ids=["class", "object", "factory", "spec"],
)
def test_a_policy_that_keeps_every_rule_conforms_however_it_is_given(policy):
    assert_policy_conforms(policy, limits=LIMITS)


def test_a_policy_without_route_keeps_the_order():
    class Plain:
        def decide(self, failure):
            return rf.FallBack("next")

    assert_policy_conforms(Plain)


@pytest.mark.parametrize(
    ("rule", "policy", "also", "came"), WRONG, ids=[f"{row[0]}-{row[1].__name__}" for row in WRONG]
)
def test_a_wrong_policy_breaks_its_rule_and_is_told_what_came_out(rule, policy, also, came):
    found = broken(policy, limits=LIMITS)
    assert set(found) == {rule, *also}
    assert came in found[rule].came
    assert found[rule].advice


def test_without_limits_a_policy_must_still_come_to_an_end():
    assert set(broken(Endless)) == {"limit-requests"}


@pytest.mark.parametrize(
    ("spec", "came"),
    [
        (rf.PolicySpec("p", Patient, lambda profile: LIMITS), "TypeError"),
        (rf.PolicySpec("p", lambda profile: Patient(), lambda profile: (0, 1.0)), "a whole number from 1, not 0"),
        (rf.PolicySpec("p", lambda profile: Patient(), lambda profile: (1, -1.0)), "a number from 0, not -1.0"),
        (rf.PolicySpec("p", lambda profile: Patient(), None), "limits that cannot be called"),
        (rf.PolicySpec("a/b", lambda profile: Patient(), lambda profile: LIMITS), "no slash"),
    ],
    ids=["factory", "requests", "seconds", "no limits", "name"],
)
def test_a_policy_that_no_client_can_use_breaks_the_rule_of_clients(spec, came):
    found = broken(spec)
    assert came in found["client"].came


def test_it_is_tried_on_the_profiles_that_are_given():
    class OnlyOnce(Patient):
        def __init__(self, profile):
            self.retries = profile.retry_config.max_retries

        def decide(self, failure):
            return rf.Retry(1.0) if failure.number <= self.retries else rf.GiveUp("enough")

    once = rf.Profile("once", retry_config=rf.RetryConfig(max_retries=1))
    assert_policy_conforms(OnlyOnce, limits=(2, 1.0), profiles=[once])
    assert set(broken(OnlyOnce, limits=(2, 1.0))) == {"limit-requests"}


def test_the_smallest_failure_is_shown():
    given = broken(Early, limits=LIMITS)["delay"].given
    assert given == (
        "a failure on the profile 'patient': Timeout('nothing came', kind='first-token'), retryable=True, "
        "received='Once upon'"
    )


def test_every_rule_has_a_policy_that_breaks_it():
    assert {row[0] for row in WRONG} | {"client"} == set(RULES)
