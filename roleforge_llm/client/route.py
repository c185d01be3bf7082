"""Where a call stands: which profile, which attempt on it, how long it has waited, how much time is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from roleforge_llm.client.healthbook import HealthBook
from roleforge_llm.client.targets import Target

__all__ = ["Route"]


class Route:
    """The way of one call through its profiles. Times in seconds on *clock*, which is monotonic.

    *limit* bounds the whole call, None not at all. *can_go_on* says whether a profile can take over what has
    been received so far.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        health: HealthBook,
        clock: Callable[[], float],
        limit: float | None,
        can_go_on: Callable[[Target], bool],
    ) -> None:
        self.targets = targets
        self.limit = limit
        self.clock = clock
        self.began = clock()
        self._health = health
        self._can_go_on = can_go_on
        self._at = -1
        self._attempt_began: float | None = None
        self._probes = False
        self._arrive(-1)

    def _arrive(self, at: int) -> None:
        self._at = at
        self.number = 0
        self.waited = 0.0
        self.waited_here = 0.0
        self.loading_asked = 0
        self.loading_waited = 0.0

    @property
    def target(self) -> Target:
        """The profile that is being tried."""
        return self.targets[self._at]

    @property
    def profile(self) -> str:
        """Its name."""
        return self.target.profile.name

    def left(self) -> Sequence[Target]:
        """The profiles after this one that could take over now."""
        now = self.clock()
        following = self.targets[self._at + 1 :]
        return [target for target in following if self._can_go_on(target) and not self._rests(target, now)]

    def _rests(self, target: Target, now: float) -> bool:
        until = self._health.resting_until(target.profile.name)
        return until is not None and now < until

    def next(self) -> bool:
        """Move on to the next profile that may be tried; False if there is none."""
        now = self.clock()
        for at in range(self._at + 1, len(self.targets)):
            profile = self.targets[at].profile
            probes = self._health.resting_until(profile.name) is not None
            if self._can_go_on(self.targets[at]) and self._health.admits(profile.name, now, profile.cooldown_seconds):
                self._arrive(at)
                self._probes = probes
                return True
        return False

    def wait(self, delay: float) -> None:
        """A retry follows after *delay* seconds."""
        self.waited = delay
        self.waited_here += delay

    def remaining(self) -> float | None:
        """Seconds until the call must end, None without a limit."""
        return None if self.limit is None else self.began + self.limit - self.clock()

    def attempt_deadline(self) -> float | None:
        """The time by which an attempt that begins now must have ended."""
        limits = [self.target.profile.timeouts.attempt, self.remaining()]
        return min((self.clock() + limit for limit in limits if limit is not None), default=None)

    def begin_attempt(self) -> None:
        """An attempt is under way."""
        self._attempt_began = self.clock()
        self._health.started(self.profile)

    def end_attempt(self, *, ok: bool | None) -> float:
        """It has succeeded, failed, or (None) ended without an outcome. Gives its seconds."""
        now = self.clock()
        began, self._attempt_began = self._attempt_began, None
        if began is None:  # nothing was sent: that says nothing about the profile
            return 0.0
        elapsed = now - began
        self._probes = self._probes and ok is None
        if ok is True:
            self._health.succeeded(self.profile, now, elapsed)
        elif ok is False:
            self._health.failed(self.profile, now)
        else:
            self._health.abandoned(self.profile)
        return elapsed

    def leave(self) -> None:
        """The call ends without an outcome. If it was to show whether a profile is well again, another one is."""
        self.end_attempt(ok=None)
        if self._probes:
            self._probes = False
            self._health.rest(self.profile, self.clock())

    def rest(self) -> None:
        """This profile has used up its retries: skip it for its ``cooldown_seconds``."""
        if seconds := self.target.profile.cooldown_seconds:
            self._health.rest(self.profile, self.clock() + seconds)
