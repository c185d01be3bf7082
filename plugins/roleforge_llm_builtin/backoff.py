"""The failure policy ``backoff-then-fallback``: retry with exponential backoff and jitter, then the next profile."""

from __future__ import annotations

import attrs

from roleforge_llm import Decision, Failure, FailurePolicy, FallBack, Limits, PolicySpec, Profile, Retry, RetryConfig

__all__ = ["BackoffThenFallback", "backoff_delay", "backoff_then_fallback"]


def backoff_delay(config: RetryConfig, retry: int, jitter: float = 0.0) -> float:
    """Seconds to wait before *retry* (from 1): initial delay times multiplier^(retry-1), times 1 + factor * jitter.

    Infinite where that is beyond a float: any limit then refuses it.
    """
    try:
        growth = float(config.backoff_multiplier) ** (retry - 1)
    except OverflowError:
        return float("inf") if config.initial_delay_ms else 0.0
    return config.initial_delay_ms / 1000 * growth * (1 + config.jitter_factor * jitter)


@attrs.frozen
class BackoffThenFallback(FailurePolicy):
    """Retries what is retryable up to ``max_retries`` times, then falls back to the next profile.

    A Retry-After of the server raises the delay. A delay above ``max_delay_ms``, or one that would pass the
    call's deadline, means falling back now rather than waiting.
    """

    config: RetryConfig

    def decide(self, failure: Failure) -> Decision:
        """Retry, or fall back with the reason."""
        if not failure.retryable:
            return FallBack("a retry cannot help")
        if failure.number > self.config.max_retries:
            return FallBack(f"maxRetries is {self.config.max_retries}")
        delay = max(backoff_delay(self.config, failure.number, failure.jitter), failure.error.retry_after or 0.0)
        if delay * 1000 > self.config.max_delay_ms:
            return FallBack(f"a wait of {delay:.3g} s is above maxDelayMs")
        if failure.remaining is not None and delay >= failure.remaining:
            return FallBack(f"a wait of {delay:.3g} s would pass the deadline")
        return Retry(delay)


def _limits(profile: Profile) -> Limits:
    """The worst case: as many retries as the shortest backoff allows, each made as long as Retry-After can make it."""
    config = profile.retry_config
    longest = config.max_delay_ms / 1000
    retries = 0
    while retries < config.max_retries and backoff_delay(config, retries + 1) <= longest:
        retries += 1
    return retries + 1, retries * longest


backoff_then_fallback = PolicySpec(
    name="backoff-then-fallback",
    factory=lambda profile: BackoffThenFallback(profile.retry_config),
    limits=_limits,
)
