"""The failure policy ``persistence``: try five times, at once."""

from collections.abc import Iterable

from roleforge_llm import Decision, Failure, FailurePolicy, GiveUp, PolicySpec, Retry, hookimpl

TRIES = 5


class Persistence(FailurePolicy):
    def decide(self, failure: Failure) -> Decision:
        return Retry() if failure.number < TRIES else GiveUp("five tries are enough")


@hookimpl
def roleforge_failure_policies() -> Iterable[PolicySpec]:
    return [PolicySpec("persistence", lambda profile: Persistence(), lambda profile: (TRIES, 0.0))]
