"""FROZEN: see frozen_v1/__init__.py."""

from collections.abc import Mapping, Sequence

from roleforge_llm import Decision, Failure, FailurePolicy, FallBack, GiveUp, Health, Profile, Retry


class Frosty(FailurePolicy):
    """Retries once, then goes on, and gives up where nothing is left; tries profiles in the order of their names."""

    @classmethod
    def of(cls, profile: Profile) -> "Frosty":
        return cls()

    def decide(self, failure: Failure) -> Decision:
        if failure.retryable and failure.number < 2:
            return Retry(0.0)
        return FallBack("the ice is thin") if failure.profiles_left else GiveUp("all is frozen")

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> Sequence[str]:
        return sorted(profiles, key=lambda name: (health[name].consecutive_failures if name in health else 0, name))
