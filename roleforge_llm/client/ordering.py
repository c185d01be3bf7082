"""The order in which a call tries its profiles: the policy's own, held to the profiles that there are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from roleforge_llm.attempts import Health
from roleforge_llm.client.targets import Target
from roleforge_llm.policies import FailurePolicy

__all__ = ["chooses", "ordered"]

log = logging.getLogger("roleforge_llm")


def chooses(policy: FailurePolicy) -> bool:
    """Whether *policy* has an order of its own."""
    route = getattr(policy, "route", None)
    return route is not None and getattr(route, "__func__", None) is not FailurePolicy.route


def ordered(first: Target, left: Sequence[Target], health: Mapping[str, Health]) -> Sequence[Target]:
    """Those of *left* that the policy of *first*, the requested profile, wants tried, in its order.

    As they are where the policy fails, or wants none of them.
    """
    by_name = {target.profile.name: target for target in left}
    try:
        order = dict.fromkeys(first.policy.route(list(by_name), health))
    except Exception:
        log.exception("failure policy %s failed in route; keeping the order", first.profile.failure_policy)
        return left
    return [by_name[name] for name in order if name in by_name] or left
