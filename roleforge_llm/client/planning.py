"""The provable worst case of a call, before it is made."""

from __future__ import annotations

from collections.abc import Sequence

from roleforge_llm.client.targets import Target
from roleforge_llm.policies import Plan, PlanStep

__all__ = ["plan"]


def plan(targets: Sequence[Target]) -> Plan:
    """The sum of the limits that the policies of *targets* declare, which the host enforces.

    Waiting is between attempts; the time that requests themselves take is bounded by the profiles' timeouts.
    """
    steps = tuple(_step(target) for target in targets)
    waiting = sum(step.max_wait_seconds for step in steps)
    total = targets[0].profile.timeouts.total
    return Plan(
        max_requests=sum(step.max_requests for step in steps),
        max_wait_seconds=waiting if total is None else min(waiting, total),
        steps=steps,
    )


def _step(target: Target) -> PlanStep:
    requests, seconds = target.limits
    return PlanStep(
        profile=target.profile.name,
        policy=target.profile.failure_policy,
        max_requests=requests,
        max_wait_seconds=seconds,
        max_loading_seconds=target.profile.timeouts.loading,
    )
