"""The policy: where a call goes first, and where it goes after a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from roleforge_llm import Decision, Failure, FailurePolicy, FallBack, Health, PolicySpec, Profile, Retry
from roleforge_llm_balance.options import OPTIONS, Options, pool, read_options
from roleforge_llm_balance.orders import ORDERS, is_due, is_well

__all__ = ["Balance", "balance"]


@attrs.frozen
class Balance(FailurePolicy):
    """Spreads calls over *servers*, and asks the policy *below* only where no other server is worth a try.

    A server that fails, twice in a row, stands behind all others. After ``rest`` seconds one call tries it first,
    and its reply brings the server back; until then it is tried once more after as long again.
    """

    below: FailurePolicy
    options: Options
    servers: Sequence[str]

    def decide(self, failure: Failure) -> Decision:
        """As the policy below, but never wait where another server may answer at once."""
        decision = self.below.decide(failure)
        if isinstance(decision, Retry) and any(self._is_promising(failure, name) for name in failure.profiles_left):
            return FallBack("another server is there")
        return decision

    def _is_promising(self, failure: Failure, name: str) -> bool:
        health = failure.health.get(name, Health())
        return is_well(health) or is_due(health, self.options.rest)

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> Sequence[str]:
        """First a failing server that is due, if a call begins; then those that are well; then those that rest."""
        known = {name: health.get(name, Health()) for name in profiles}
        well = [name for name in profiles if is_well(known[name])]
        failing = sorted((name for name in profiles if name not in well), key=lambda name: _failed_at(known[name]))
        due = [name for name in failing if is_due(known[name], self.options.rest)]
        probed = due[:1] if len(profiles) == len(self.servers) else []
        key = ORDERS[self.options.order](self.options.weights)
        chosen = sorted(well, key=lambda name: key(name, {name: known[name] for name in well}))
        return [*probed, *chosen, *(name for name in failing if name not in probed)]


def _failed_at(health: Health) -> float:
    return float("-inf") if health.last_failure is None else health.last_failure


def balance(below: PolicySpec) -> PolicySpec:
    """The policy ``balance`` on top of *below*, which bounds it."""

    def factory(profile: Profile) -> FailurePolicy:
        return Balance(below.factory(profile), read_options(profile), pool(profile))

    return PolicySpec("balance", factory, below.limits, options=OPTIONS, awaits_loading=False)
