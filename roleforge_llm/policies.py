"""Failure policies: what to do after a failed attempt. Pure: no clock, no I/O, no randomness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import attrs

if TYPE_CHECKING:  # a plugin that lists a policy needs none of these
    from roleforge_llm.attempts import Failure, Health
    from roleforge_llm.profiles import Profile

__all__ = [
    "Decision",
    "DerivedPolicySpec",
    "FailurePolicy",
    "FallBack",
    "GiveUp",
    "Limits",
    "Plan",
    "PlanStep",
    "PolicySpec",
    "Retry",
]


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
"""What a failure policy decides after a failed attempt."""


class FailurePolicy(Protocol):
    """Decides what follows a failure. The same arguments must always give the same decision.

    A policy may subclass this to inherit :meth:`route`.
    """

    def decide(self, failure: Failure) -> Decision:
        """What to do after *failure*, which happened on a profile with this policy."""
        ...

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> Sequence[str]:
        """The order in which to try *profiles*; by default as it is.

        Only the requested profile's policy is asked: when the call begins, with all profiles (the requested one
        first), and after each failure, with those that have not had their turn. Names may be left out and
        reordered, not added. *health* has the profiles that this client has tried. While the first order of a
        call is made, no other call of the client chooses: be quick.
        """
        return profiles


Limits: TypeAlias = tuple[int, float]
"""The most requests that a policy makes on one profile, and the most seconds it waits between them."""


@attrs.frozen
class PolicySpec:
    """A failure policy as a plugin offers it.

    *name* is what profiles call it. *factory* makes the policy for one profile; *limits* gives what the policy will
    never exceed on that profile, whatever happens: at least one request, and no less than no seconds. The host
    enforces it.

    *options* are the keys that a profile may set in ``policy_options``. The factory checks their values, and raises
    :class:`~roleforge_llm.ConfigError` with paths that begin in that table. With *awaits_loading* a server that says
    that it is loading its model is asked again for ``timeouts.loading`` before that counts as a failure; without it
    only where no other profile is left.
    """

    name: str
    factory: Callable[[Profile], FailurePolicy]
    limits: Callable[[Profile], Limits]
    options: tuple[str, ...] = ()
    awaits_loading: bool = True


@attrs.frozen
class DerivedPolicySpec:
    """A failure policy that builds on another one, as a plugin offers it.

    *name* is what profiles call it. *base* names the other policy; *derive* makes this one's spec of the other's,
    whose factory, limits and options it may use. Called each time that the policy is asked for.
    """

    name: str
    base: str
    derive: Callable[[PolicySpec], PolicySpec]


@attrs.frozen
class PlanStep:
    """The worst case on one profile: *max_requests*, and *max_wait_seconds* between them, as its *policy* declares.

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
    """The provable worst case of a call, before it is made.

    *max_requests* and *max_wait_seconds* (between requests) are the sums of the *steps*, one for each profile.
    """

    max_requests: int
    max_wait_seconds: float
    steps: tuple[PlanStep, ...]
