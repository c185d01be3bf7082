"""Failure policies: what to do after a failed attempt. Pure: no clock, no I/O, no randomness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import attrs

from roleforge_llm.attempts import Failure, Health
from roleforge_llm.profiles import Profile

__all__ = ["Decision", "FailurePolicy", "FallBack", "GiveUp", "Limits", "Plan", "PlanStep", "PolicySpec", "Retry"]


@attrs.frozen
class Retry:
    """Try the same profile again after *delay* seconds."""

    delay: float = 0.0


@attrs.frozen
class FallBack:
    """Go on with the next profile now, for *reason* (shown in logs and in the attempt)."""

    reason: str = ""


@attrs.frozen
class GiveUp:
    """End the call with the error, for *reason*."""

    reason: str = ""


Decision: TypeAlias = Retry | FallBack | GiveUp


class FailurePolicy(Protocol):
    """Decides what follows a failure. The same arguments must always give the same decision.

    A policy may subclass this to inherit :meth:`route`.
    """

    def decide(self, failure: Failure) -> Decision:
        """What to do after *failure*, which happened on a profile with this policy."""
        ...

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> Sequence[str]:
        """The order in which to try *profiles* (the requested one first); by default as configured.

        Only the requested profile's policy is asked. Names may be left out and reordered, not added.
        """
        return profiles


Limits: TypeAlias = tuple[int, float]
"""The most requests that a policy makes on one profile, and the most seconds it waits between them."""


@attrs.frozen
class PolicySpec:
    """A failure policy as a plugin offers it.

    *factory* makes the policy for one profile; *limits* gives what the policy will never exceed on that
    profile, whatever happens: at least one request, and no less than no seconds. The host enforces it.
    """

    name: str
    factory: Callable[[Profile], FailurePolicy]
    limits: Callable[[Profile], Limits]


@attrs.frozen
class PlanStep:
    """The worst case on one profile.

    *max_loading_seconds* bounds the time in which a server that says that it is loading its model is asked
    again; that is part of an attempt, no request of its own in this count.
    """

    profile: str
    policy: str
    max_requests: int
    max_wait_seconds: float
    max_loading_seconds: float


@attrs.frozen
class Plan:
    """The provable worst case of a call, before it is made: requests, and seconds of waiting between them."""

    max_requests: int
    max_wait_seconds: float
    steps: tuple[PlanStep, ...]
