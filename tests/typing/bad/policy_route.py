from collections.abc import Mapping, Sequence

from roleforge_llm import Decision, Failure, FailurePolicy, FallBack, GiveUp, Health, PolicySpec, Profile, Retry


class Wrong(FailurePolicy):
    def decide(self, failure: Failure) -> Decision:
        if failure.numbr > 1:  # wrong
            return GiveUp(404)  # wrong
        return Retry(delay=None) if failure.retryable else FallBack(True)  # wrong

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> str:
        return health["p"].latency  # wrong


class Unnamed(FailurePolicy):
    def decide(self, failure: Failure) -> bool:  # wrong
        return True

    def route(self, profiles: Sequence[Profile], health: Mapping[str, Health]) -> Sequence[str]:  # wrong
        return []


class NoRoute:
    def decide(self, failure: Failure) -> Decision:
        return GiveUp()


PolicySpec("p", factory=lambda profile: NoRoute(), limits=lambda profile: (1, 0.0))  # wrong
PolicySpec("p", factory=Wrong, limits=lambda profile: (1, 0.0))  # wrong
PolicySpec("p", factory=lambda profile: Wrong())  # wrong
