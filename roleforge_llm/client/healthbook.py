"""How each profile has been doing, over all calls and threads of one client."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import attrs

from roleforge_llm.attempts import Health

__all__ = ["HealthBook"]


class HealthBook:
    """Counts attempts and failures, and rests profiles that exhausted their retries. Thread-safe.

    All times are seconds on the client's monotonic clock.
    """

    def __init__(self) -> None:
        self._health: dict[str, Health] = {}
        self._lock = threading.Lock()

    def snapshot(self) -> Mapping[str, Health]:
        """The health of every profile that was ever tried."""
        with self._lock:
            return dict(self._health)

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
            return self._health.get(profile, Health()).resting_until

    def started(self, profile: str) -> None:
        """An attempt begins."""
        with self._lock:
            health = self._health.get(profile, Health())
            self._health[profile] = attrs.evolve(health, in_flight=health.in_flight + 1, started=health.started + 1)

    def succeeded(self, profile: str, now: float, latency: float) -> None:
        """An attempt gave a reply after *latency* seconds: the profile is well again."""
        with self._lock:
            health = self._health.get(profile, Health())
            self._health[profile] = attrs.evolve(
                health,
                in_flight=max(0, health.in_flight - 1),
                latency=latency,
                last_success=now,
                consecutive_failures=0,
                resting_until=None,
            )

    def failed(self, profile: str, now: float) -> None:
        """An attempt failed."""
        with self._lock:
            health = self._health.get(profile, Health())
            self._health[profile] = attrs.evolve(
                health,
                in_flight=max(0, health.in_flight - 1),
                last_failure=now,
                consecutive_failures=health.consecutive_failures + 1,
            )

    def abandoned(self, profile: str) -> None:
        """An attempt ended without an outcome: it was cancelled, or its reader left."""
        with self._lock:
            health = self._health.get(profile, Health())
            self._health[profile] = attrs.evolve(health, in_flight=max(0, health.in_flight - 1))

    def rest(self, profile: str, until: float) -> None:
        """Skip *profile* until then."""
        with self._lock:
            self._health[profile] = attrs.evolve(self._health.get(profile, Health()), resting_until=until)
