from collections.abc import Iterable, Mapping, Sequence

from roleforge_llm import (
    Attempt,
    BackendError,
    Decision,
    Event,
    Failure,
    FailurePolicy,
    FallBack,
    GiveUp,
    Health,
    PolicySpec,
    Retry,
    hookimpl,
)


class Fastest(FailurePolicy):
    def decide(self, failure: Failure) -> Decision:
        if failure.received:
            return GiveUp("too late")
        return Retry(0.5) if failure.retryable and failure.number < 3 else FallBack()

    def route(self, profiles: Sequence[str], health: Mapping[str, Health]) -> Sequence[str]:
        return sorted(profiles, key=lambda name: health[name].latency or 0.0)


@hookimpl
def roleforge_failure_policies() -> Iterable[PolicySpec]:
    return [PolicySpec("fastest", factory=lambda profile: Fastest(), limits=lambda profile: (3, 1.0))]


@hookimpl
def roleforge_classify_error(error: Exception, attempt: Attempt) -> Failure | None:
    return Failure(error=error, retryable=True) if isinstance(error, BackendError) else None


@hookimpl
def roleforge_event(event: Event) -> None:
    print(event.kind, event.profile)
