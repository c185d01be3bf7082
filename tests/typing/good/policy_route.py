"""A policy from its own settings, that routes by health, and one that needs no base class."""

from collections.abc import Iterable, Mapping, Sequence

import attrs

from roleforge_llm import (
    Decision,
    Failure,
    FailurePolicy,
    FallBack,
    GiveUp,
    Health,
    PolicySpec,
    Profile,
    Retry,
    hookimpl,
)


@attrs.frozen
class LeastBusy(FailurePolicy):
    retries: int

    @classmethod
    def of(cls, profile: Profile) -> "LeastBusy":
        return cls(profile.retry_config.max_retries)

    def decide(self, failure: Failure) -> Decision:
        delay = 0.5 * (1 + failure.jitter)
        if failure.remaining is not None and failure.remaining < delay:
            return GiveUp("no time is left")
        return Retry(delay) if failure.number <= self.retries else FallBack()

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> list[str]:
        idle = Health()
        return sorted(profiles, key=lambda name: health.get(name, idle).in_flight)


class Plain:
    def decide(self, failure: Failure) -> GiveUp:
        return GiveUp()

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> Sequence[str]:
        return profiles


def limits(profile: Profile) -> tuple[int, float]:
    return profile.retry_config.max_retries + 1, 1.0 * profile.retry_config.max_retries


@hookimpl
def roleforge_failure_policies() -> Iterable[PolicySpec]:
    yield PolicySpec("least-busy", factory=LeastBusy.of, limits=limits)
    yield PolicySpec("plain", factory=lambda profile: Plain(), limits=lambda profile: (1, 0.0))
