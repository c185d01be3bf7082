"""What a failure policy must keep to, rule by rule."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from roleforge_llm.attempts import Attempt, Failure
from roleforge_llm.errors import BackendError
from roleforge_llm.policies import Decision, FailurePolicy, FallBack, GiveUp, Limits, Retry
from roleforge_llm.profiles import Profile
from roleforge_llm.testing.conformance import Broken, Rule
from roleforge_llm.testing.situations import STEADY, Situation, described, failures, plainest, situations

__all__ = ["DECIDED", "Subject", "broken_in_decisions", "broken_in_limits", "broken_in_routes"]

_LONGEST = 1e9

_DECISION = Rule(
    "decision",
    "decide answers every failure with a Retry, a FallBack or a GiveUp",
    "return one of the three, whatever the failure; a reason is one line of text",
)
_DELAY = Rule(
    "delay",
    "the delay of a Retry is a number of seconds from 0 that can be waited",
    "bound what you compute, and return FallBack where the wait would be too long",
)
_PURE = Rule(
    "pure",
    "the same failure always gets the same decision: again, from another policy of the factory, in any order",
    "decide by the failure alone: no counters, no clock, no randomness (failure.number, elapsed and jitter are given)",
)
_ARGUMENTS = Rule(
    "arguments",
    "decide and route leave what they are given as it was",
    "work on copies: the host and other policies use the same objects",
)
_REQUESTS = Rule(
    "limit-requests",
    "a call makes no more requests to one profile than limits declares, whatever happens",
    "return FallBack when failure.number has reached the limit, or declare a higher one",
)
_WAITING = Rule(
    "limit-waiting",
    "a call waits no longer on one profile than limits declares, whatever happens",
    "count the longest waits (jitter up to 1, Retry-After) into the limit, or make them shorter",
)
_ROUTE = Rule(
    "route",
    "route gives at least one of the names it was given, each once, and no other",
    "reorder or leave out names of profiles; return all of them where none is fit, so that one is tried",
)
_ROUTE_PURE = Rule(
    "route-pure",
    "the same profiles and health always give the same order: again, from another policy of the factory",
    "choose by the health alone: in_flight and started say how the load is spread, and no state is needed",
)
DECIDED: tuple[str, ...] = tuple(
    rule.name for rule in (_DECISION, _DELAY, _PURE, _ARGUMENTS, _REQUESTS, _WAITING, _ROUTE, _ROUTE_PURE)
)
"""The names of these rules."""


@attrs.frozen
class Subject:
    """A policy on one *profile*: *make* makes it anew, *limits* is what it declares, None for nothing."""

    profile: Profile
    make: Callable[[], FailurePolicy]
    limits: Limits | None


def _first(rule: Rule, wrong: Iterable[tuple[str, str]]) -> Iterator[Broken]:
    """The first fault of *rule*, if there is one."""
    for given, came in itertools.islice(wrong, 1):
        yield rule.broken(given, came)


# ---------------------------------------------------------------------- decisions


def broken_in_decisions(subject: Subject, examples: int) -> Iterator[Broken]:
    """The rules about single decisions that *subject* breaks."""
    asked = list(failures(examples, subject.profile))
    for rule, fault in ((_DECISION, _fault_of_decision), (_DELAY, _fault_of_delay), (_ARGUMENTS, _change)):
        yield from _first(rule, _simplest(subject, asked, fault))
    yield from _first(_PURE, _differing(subject, asked))


def _simplest(
    subject: Subject, asked: Sequence[Failure], fault: Callable[[Subject, Failure], str | None]
) -> Iterator[tuple[str, str]]:
    for failure in asked:
        if fault(subject, failure) is not None:
            plain = plainest(failure, lambda other: fault(subject, other) is not None)
            yield described(plain), fault(subject, plain) or ""


def _decided(policy: FailurePolicy, failure: Failure) -> object:
    """The decision on a copy of *failure*, or what was raised instead."""
    try:
        return policy.decide(_copied(failure))
    except Exception as error:  # noqa: BLE001  # whatever a policy does wrong
        return f"{type(error).__name__}: {error}"


def _copied(failure: Failure) -> Failure:
    """*failure* with copies of all in it that can be changed."""
    return attrs.evolve(failure, error=copy.copy(failure.error), health=dict(failure.health))


def _fault_of_decision(subject: Subject, failure: Failure) -> str | None:
    decision = _decided(subject.make(), failure)
    if not isinstance(decision, (Retry, FallBack, GiveUp)):
        return decision if isinstance(decision, str) else f"{decision!r:.80}"
    reason = "" if isinstance(decision, Retry) else decision.reason
    return None if isinstance(reason, str) and len(reason.splitlines()) < 2 else f"{decision!r:.80}"


def _fault_of_delay(subject: Subject, failure: Failure) -> str | None:
    decision = _decided(subject.make(), failure)
    if not isinstance(decision, Retry) or _is_delay(decision.delay):
        return None
    return f"{decision!r:.80}"


def _is_delay(delay: object) -> bool:
    if isinstance(delay, bool) or not isinstance(delay, (int, float)):
        return False
    return math.isfinite(delay) and 0 <= delay <= _LONGEST


def _change(subject: Subject, failure: Failure) -> str | None:
    given = _copied(failure)
    before = _inside(given)
    with contextlib.suppress(Exception):  # a rule of its own
        subject.make().decide(given)
    return None if _inside(given) == before else f"afterwards it was {described(given)}"


def _inside(failure: Failure) -> object:
    fields = {field.name: getattr(failure, field.name) for field in attrs.fields(Failure)[1:]}
    return {**fields, "health": dict(failure.health)}, dict(vars(failure.error)), failure.error.args


def _differing(subject: Subject, asked: Sequence[Failure]) -> Iterator[tuple[str, str]]:
    policy, other = subject.make(), subject.make()
    first = [_decided(policy, failure) for failure in asked]
    order = random.Random(0).sample(range(len(asked)), len(asked))  # noqa: S311  # for variety
    for at in (*range(len(asked)), *order):
        for again in (_decided(policy, asked[at]), _decided(other, asked[at])):
            if again != first[at]:
                yield described(asked[at]), f"at first {first[at]}, later {again}"


# ---------------------------------------------------------------------- limits


_UNDECLARED: Limits = (200, _LONGEST)
"""What no policy without declared limits may pass: it must come to an end."""


def broken_in_limits(subject: Subject, examples: int) -> Iterator[Broken]:
    """The declared limits that *subject* passes."""
    steady = [itertools.repeat((*error, jitter)) for error in STEADY for jitter in (0.0, 0.999999)]
    draw = random.Random(examples)  # noqa: S311  # for variety
    changing = [iter(lambda: (*draw.choice(STEADY), draw.random()), None) for _ in range(max(1, examples // 10))]
    wrong = [fault for happening in (*steady, *changing) for fault in _passed(subject, happening)]
    for rule in (_REQUESTS, _WAITING):
        yield from _first(rule, ((given, came) for broken, given, came in wrong if broken is rule))


def _passed(subject: Subject, happening: Iterator[tuple[BackendError, bool, float]]) -> Iterator[tuple[Rule, str, str]]:
    """Let one call fail again and again; which limits the decisions pass."""
    requests, seconds = subject.limits or _UNDECLARED
    policy, waited = subject.make(), 0.0
    attempts: list[Attempt] = []
    for number, (error, retryable, jitter) in enumerate(happening, 1):
        failure = Failure(
            error,
            retryable,
            subject.profile.name,
            number=number,
            attempts=tuple(attempts),
            elapsed=waited + number / 10,
            retry_config=subject.profile.retry_config,
            jitter=jitter,
        )
        decision = _decided(policy, failure)
        if not isinstance(decision, Retry) or not _is_delay(decision.delay):
            return
        if number >= requests:
            came = f"{decision}, which would be request {number + 1}; limits says {requests}"
            yield _REQUESTS, described(failure), came
            return
        waited += decision.delay
        if waited > seconds * (1 + 1e-9):
            came = f"{decision}, which makes {waited:g} seconds of waiting; limits says {seconds:g}"
            yield _WAITING, described(failure), came
            return
        attempts.append(Attempt(subject.profile.name, number, ok=False, error=error.message, next=_next(decision)))


def _next(decision: Decision) -> str:
    return f"retry in {decision.delay:g} s" if isinstance(decision, Retry) else decision.reason


# ---------------------------------------------------------------------- the order of profiles


def broken_in_routes(subject: Subject, examples: int) -> Iterator[Broken]:
    """The rules about the order of profiles that *subject* breaks; a policy without ``route`` keeps the order."""
    if getattr(subject.make(), "route", None) is None:
        return
    asked = list(situations(examples))
    for rule, fault in ((_ROUTE, _fault_of_route), (_ARGUMENTS, _change_by_route), (_ROUTE_PURE, _other_route)):
        yield from _first(rule, ((str(each), came) for each in asked if (came := fault(subject, each)) is not None))


def _routed(policy: FailurePolicy, asked: Situation) -> object:
    try:
        return list(policy.route(list(asked.profiles), dict(asked.health)))
    except Exception as error:  # noqa: BLE001  # whatever a policy does wrong
        return f"{type(error).__name__}: {error}"


def _fault_of_route(subject: Subject, asked: Situation) -> str | None:
    order = _routed(subject.make(), asked)
    if not isinstance(order, list) or not order:
        return str(order)
    is_fit = all(name in asked.profiles for name in order) and len(set(map(str, order))) == len(order)
    return None if is_fit else f"{order!r:.120}"


def _change_by_route(subject: Subject, asked: Situation) -> str | None:
    profiles, health = list(asked.profiles), dict(asked.health)
    with contextlib.suppress(Exception):  # a rule of its own
        subject.make().route(profiles, health)
    return None if (tuple(profiles), health) == (asked.profiles, asked.health) else f"afterwards {profiles}, {health}"


def _other_route(subject: Subject, asked: Situation) -> str | None:
    policy = subject.make()
    first = _routed(policy, asked)
    for each in situations(3):
        _routed(policy, each)
    again = next((order for order in (_routed(policy, asked), _routed(subject.make(), asked)) if order != first), None)
    return None if again is None else f"at first {first}, later {again}"
