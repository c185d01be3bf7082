"""Which errors are worth a retry on the same profile: by class, status and kind, never by message text."""

from __future__ import annotations

from roleforge_llm import (
    BackendError,
    BadReply,
    ConnectFailed,
    Failure,
    RateLimited,
    ServerError,
    StreamBroken,
    Timeout,
)

__all__ = ["classify"]

_RETRYABLE_KINDS: dict[type[BackendError], frozenset[str] | None] = {
    ConnectFailed: frozenset({"refused", "reset", "connect"}),
    Timeout: None,
    RateLimited: frozenset({"status"}),
    ServerError: None,
    StreamBroken: None,
    BadReply: frozenset({"unreadable"}),
}
"""For each class the kinds that a retry may cure; None is all of them. Other classes: none."""


def classify(error: Exception) -> Failure | None:
    """The failure that *error* is, None if it is no :class:`BackendError`."""
    if not isinstance(error, BackendError):
        return None
    return Failure(error=error, retryable=error.should_retry is not False and _is_retryable(error))


def _is_retryable(error: BackendError) -> bool:
    for kind, kinds in _RETRYABLE_KINDS.items():
        if isinstance(error, kind):
            return kinds is None or error.kind in kinds
    return False
