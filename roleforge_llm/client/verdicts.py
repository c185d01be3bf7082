"""From a failure to the decision that is carried out: the policy's own, held to what it may do."""

from __future__ import annotations

import logging

from roleforge_llm.attempts import Failure
from roleforge_llm.client.targets import Target
from roleforge_llm.errors import BackendError, InvalidRequest, NotFound
from roleforge_llm.host.isolation import described, shown
from roleforge_llm.policies import Decision, FallBack, GiveUp, Retry

__all__ = ["has_exhausted", "is_of_the_request", "loading_delay", "verdict"]

log = logging.getLogger("roleforge_llm")

_LONGEST = 1e9
"""Seconds beyond which a wait is none, but a fault of the policy."""


def verdict(target: Target, failure: Failure, waited: float) -> Decision:
    """What follows *failure* on *target*, after *waited* seconds of waiting on that profile.

    The policy decides; the host holds it to its declared limits, to the deadline, and to what the text that
    was received allows.
    """
    if failure.remaining is not None and failure.remaining <= 0:
        return GiveUp("no time is left")
    if failure.received and target.profile.on_interrupt == "raise":
        return GiveUp("onInterrupt is raise")
    decision = _asked(target, failure)
    if isinstance(decision, Retry) and (reason := _objection(target, failure, waited, decision)) is not None:
        return FallBack(reason)
    return decision


def _asked(target: Target, failure: Failure) -> Decision:
    """The policy's decision. A policy that fails itself must not take the call with it."""
    name = target.profile.failure_policy
    try:
        decision = target.policy.decide(failure)
    except Exception as error:
        details = error if log.isEnabledFor(logging.DEBUG) else None
        log.error("failure policy %s failed: %s; falling back", name, described(error), exc_info=details)  # noqa: TRY400  # a traceback at DEBUG only
        return FallBack("the failure policy failed")
    if isinstance(decision, Retry) and _is_delay(decision.delay):
        return decision
    if isinstance(decision, (FallBack, GiveUp)):
        return decision
    log.error("failure policy %s gave %s; falling back", name, shown(decision))
    return FallBack("the failure policy gave no decision")


def _is_delay(delay: object) -> bool:
    """Whether *delay* is a time that can be waited: what a policy gives need not be what its type says."""
    return isinstance(delay, (int, float)) and 0 <= delay <= _LONGEST


def _objection(target: Target, failure: Failure, waited: float, retry: Retry) -> str | None:
    """Why *retry* may not be, None if it may."""
    requests, seconds = target.limits
    if not failure.can_continue:
        return "this profile cannot continue a broken reply"
    if failure.number >= requests:
        return f"the policy's limit of {requests} requests is reached"
    # The tolerance is for sums of floats, which may differ from the policy's own product in the last bit.
    if waited + retry.delay > seconds * (1 + 1e-9):
        return f"the policy's limit of {seconds:g} s of waiting is reached"
    if failure.remaining is not None and retry.delay >= failure.remaining:
        return "the wait would pass the deadline"
    return None


def is_of_the_request(error: BackendError) -> bool:
    """Whether *error* says something of the request alone, and nothing of how its profile is doing."""
    return isinstance(error, InvalidRequest) and not isinstance(error, NotFound)


def has_exhausted(target: Target, failure: Failure, decision: Decision) -> bool:
    """Whether *target* has failed for good, so that it is to rest.

    It has not where the call itself left it no chance: no time, an answer that may not or cannot be continued.
    """
    if not failure.retryable or not failure.can_continue or not isinstance(decision, FallBack):
        return False
    return failure.remaining is None or failure.number >= target.limits[0]


def loading_delay(asked: int) -> float:
    """Seconds until a loading server, *asked* again so many times, is asked once more: 0.25 s, doubling to 2 s."""
    return min(2.0, 0.25 * 2.0 ** min(asked, 3))
