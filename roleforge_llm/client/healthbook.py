"""How each profile has been doing, over all calls and threads of one client."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager

import attrs

from roleforge_llm.attempts import Health

__all__ = ["HealthBook"]

_RECENT = 512
"""The mean of all profiles' recent attempts at which they are halved: one in thousands still differs from none."""

_NEW = 0.25
"""What the last reply weighs in the mean latency."""


class HealthBook:
    """Counts attempts and failures, and rests profiles that exhausted their retries. Thread-safe.

    All times are seconds on the client's monotonic clock.
    """

    def __init__(self) -> None:
        self._health: dict[str, Health] = {}
        self._lock = threading.RLock()

    def at_once(self) -> AbstractContextManager[object]:
        """While this is entered nothing changes but by its own thread: for choosing by health and saying so."""
        return self._lock

    def snapshot(self, now: float) -> Mapping[str, Health]:
        """The health of every profile that was ever tried, at the time *now*."""
        with self._lock:
            return {profile: attrs.evolve(health, now=now) for profile, health in self._health.items()}

    def admits(self, profile: str, now: float, cooldown: float) -> bool:
        """Whether *profile* may be tried at *now*.

        A resting profile may not; once its rest is over, one call may try it, and its rest begins again for all
        others until that call has brought it back.
        """
        with self._lock:
            health = self._health.get(profile)
            if health is None or health.resting_until is None:
                return True
            if now < health.resting_until:
                return False
            self._health[profile] = attrs.evolve(health, resting_until=now + cooldown)
            return True

    def resting_until(self, profile: str) -> float | None:
        """When the rest of *profile* ends or has ended; None where it does not rest, or is well again."""
        with self._lock:
            return self._of(profile).resting_until

    def started(self, profile: str, now: float) -> None:
        """*profile* is chosen for an attempt."""
        with self._lock:
            old = self._of(profile)
            self._health[profile] = attrs.evolve(
                old, in_flight=old.in_flight + 1, started=old.started + 1, recent=old.recent + 1, last_start=now
            )
            if sum(health.recent for health in self._health.values()) >= _RECENT * len(self._health):
                self._weigh_recent(0.5)

    def withdrawn(self, profile: str) -> None:
        """Nothing was sent in the attempt for which *profile* had been chosen."""
        with self._lock:
            old = self._of(profile)
            self._health[profile] = attrs.evolve(
                old,
                in_flight=max(0, old.in_flight - 1),
                started=max(0, old.started - 1),
                recent=max(0.0, old.recent - 1),
            )

    def answered(self, profile: str, latency: float) -> None:
        """The first piece of a reply has come, after *latency* seconds."""
        with self._lock:
            old = self._of(profile)
            mean = latency if old.latency is None else old.latency + _NEW * (latency - old.latency)
            self._health[profile] = attrs.evolve(old, latency=mean, consecutive_failures=0)
            if old.consecutive_failures:
                self._weigh_recent(0)

    def succeeded(self, profile: str, now: float) -> None:
        """An attempt gave a reply, whose first piece had been noted before: the profile is well again."""
        with self._lock:
            old = self._of(profile)
            self._health[profile] = attrs.evolve(
                old, in_flight=max(0, old.in_flight - 1), last_success=now, resting_until=None
            )

    def failed(self, profile: str, now: float) -> None:
        """An attempt failed."""
        with self._lock:
            old = self._of(profile)
            self._health[profile] = attrs.evolve(
                old,
                in_flight=max(0, old.in_flight - 1),
                last_failure=now,
                consecutive_failures=old.consecutive_failures + 1,
            )
            if not old.consecutive_failures:
                self._weigh_recent(0)

    def abandoned(self, profile: str) -> None:
        """An attempt ended without an outcome: it was cancelled, or its reader left."""
        with self._lock:
            old = self._of(profile)
            self._health[profile] = attrs.evolve(old, in_flight=max(0, old.in_flight - 1))

    def rest(self, profile: str, until: float) -> None:
        """Skip *profile* until then."""
        with self._lock:
            self._health[profile] = attrs.evolve(self._of(profile), resting_until=until)

    def _of(self, profile: str) -> Health:
        return self._health.get(profile) or Health()

    def _weigh_recent(self, factor: float) -> None:
        """Let what was started so far count *factor* as much, for all profiles alike."""
        for profile, health in self._health.items():
            self._health[profile] = attrs.evolve(health, recent=health.recent * factor)
