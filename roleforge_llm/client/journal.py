"""What one call records: its attempts and errors, log lines, and events for observers."""

from __future__ import annotations

import itertools
import logging

import attrs

from roleforge_llm.attempts import Attempt, Event, EventKind
from roleforge_llm.client.route import Route
from roleforge_llm.errors import BackendError
from roleforge_llm.host import PluginHost
from roleforge_llm.policies import Decision, FallBack, GiveUp, Retry

__all__ = ["Journal"]

log = logging.getLogger("roleforge_llm")

_calls = itertools.count(1)


class Journal:
    """The record of one call."""

    def __init__(self, host: PluginHost, route: Route) -> None:
        self._host = host
        self._route = route
        self._call = next(_calls)
        self.attempts: list[Attempt] = []
        self.errors: list[BackendError] = []

    def attempt(self, *, ok: bool, elapsed: float = 0.0) -> Attempt:
        """The attempt that is under way, as a record."""
        route = self._route
        return Attempt(profile=route.profile, number=route.number, ok=ok, waited=route.waited, elapsed=elapsed)

    def succeeded(self, elapsed: float, received: int) -> None:
        """The attempt gave a reply."""
        self.attempts.append(self.attempt(ok=True, elapsed=elapsed))
        self.emit("finished", received)
        if self.errors:
            log.info("LLM API call succeeded: profile=%s attempt=%d", self._route.profile, self._route.number)

    def loading(self, delay: float) -> None:
        """The server is loading its model, and is asked again after *delay* seconds."""
        log.info("LLM server is loading its model: profile=%s wait=%.3gs", self._route.profile, delay)
        self.emit("server-loading", wait=delay)

    def failed(self, error: BackendError, decision: Decision, elapsed: float, received: int) -> None:
        """The attempt failed with *error*, and *decision* follows."""
        attempt = attrs.evolve(
            self.attempt(ok=False, elapsed=elapsed),
            error=f"{type(error).__name__}: {_one_line(error.message)}",
            kind=error.kind,
            status=error.status,
            next=self._what_follows(decision),
        )
        wait = decision.delay if isinstance(decision, Retry) else 0.0
        self.attempts.append(attempt)
        self.errors.append(error)
        log.warning(
            "LLM API call failed: profile=%s attempt=%d error=%s wait=%.3gs next=%s",
            attempt.profile,
            attempt.number,
            attempt.error,
            wait,
            attempt.next,
        )
        self.emit("attempt-failed", received, error=error)
        if received:
            self.emit("stream-interrupted", received, error=error)
        if isinstance(decision, Retry):
            self.emit("retry-scheduled", received, error=error, wait=wait)

    def fell_back(self, received: int) -> None:
        """The call goes on with the profile that has its turn now, after the last attempt on the one before."""
        left, following = self.attempts[-1], self._route.profile
        self._host.emit(
            Event("fell-back", self._call, left.profile, left.number, next_profile=following, received=received)
        )

    def correct(self, decision: Decision) -> None:
        """Not what was decided follows the last attempt, but *decision*."""
        self.attempts[-1] = attrs.evolve(self.attempts[-1], next=self._what_follows(decision))

    def _what_follows(self, decision: Decision) -> str:
        if isinstance(decision, Retry):
            return f"retry in {decision.delay:.3g} s"
        reason = f" ({decision.reason})" if decision.reason else ""
        if isinstance(decision, GiveUp):
            return f"give up{reason}"
        assert isinstance(decision, FallBack), "there are three decisions"
        left = self._route.left()
        return (f"fall back to {left[0].profile.name}" if left else "no profile left") + reason

    def emit(
        self,
        kind: EventKind,
        received: int = 0,
        *,
        error: BackendError | None = None,
        wait: float | None = None,
    ) -> None:
        """Tell observers. *received* is the number of characters handed out so far."""
        route = self._route
        self._host.emit(Event(kind, self._call, route.profile, route.number, error, wait, received=received))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]
