"""Where a call stands: which profile, which attempt on it, how long it has waited, how much time is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import attrs

from roleforge_llm.attempts import Health
from roleforge_llm.client.healthbook import HealthBook
from roleforge_llm.client.ordering import chooses, ordered
from roleforge_llm.client.targets import Target
from roleforge_llm.client.verdicts import loading_delay
from roleforge_llm.profiles import Profile

__all__ = ["Route"]


class Route:
    """The way of one call through its profiles. Times in seconds on *clock*, which is monotonic.

    *targets* are the requested profile and its fallbacks, as configured; each has one turn. *limit* bounds the whole
    call, None not at all. *can_go_on* says whether a profile can take over what has been received so far.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        health: HealthBook,
        clock: Callable[[], float],
        limit: float | None,
        can_go_on: Callable[[Target], bool],
    ) -> None:
        self.target = targets[0]
        self.limit = limit
        self.clock = clock
        self.began = clock()
        self._health = health
        self._can_go_on = can_go_on
        self._configured = targets
        self._following = list(targets)
        self._chosen = False
        self._attempt_began: float | None = None
        self._answered = False
        self._probes = False
        self._arrive(targets[0])

    def _arrive(self, target: Target) -> None:
        self.target = target
        self.number = 0
        self.waited = 0.0
        self.waited_here = 0.0
        self._loading_asked = 0
        self._loading_waited = 0.0

    @property
    def profile(self) -> str:
        """The name of the profile that is being tried."""
        return self.target.profile.name

    def health(self) -> Mapping[str, Health]:
        """How the client's profiles are doing now."""
        return self._health.snapshot(self.clock())

    def left(self) -> Sequence[Target]:
        """The profiles after this one that could take over now."""
        now = self.clock()
        return [target for target in self._following if self._can_go_on(target) and not self._rests(target, now)]

    def _rests(self, target: Target, now: float) -> bool:
        until = self._health.resting_until(target.profile.name)
        return until is not None and now < until

    def begin(self) -> bool:
        """Choose the first profile; False if none may be tried.

        No other call chooses meanwhile, so that calls which begin together do not all take the same one.
        """
        with self._health.at_once():
            self.reorder()
            return self.next()

    def reorder(self) -> None:
        """Let the policy say anew in which order the profiles that are left have their turns."""
        requested, *_ = self._configured
        if len(self._following) > 1 and chooses(requested.policy):
            left = [target for target in self._configured if target in self._following]
            self._following = list(ordered(requested, left, self.health()))

    def next(self) -> bool:
        """Move on to the next profile that may be tried; False if there is none."""
        with self._health.at_once():
            while self._following:
                target = self._following.pop(0)
                if self._can_go_on(target) and self._is_admitted(target):
                    self._arrive(target)
                    self.choose()
                    return True
        return False

    def _is_admitted(self, target: Target) -> bool:
        profile, now = target.profile, self.clock()
        probes = self._health.resting_until(profile.name) is not None
        if not self._health.admits(profile.name, now, profile.cooldown_seconds):
            return False
        self._probes = probes
        return True

    def choose(self) -> None:
        """An attempt on this profile follows: it counts from now on."""
        if not self._chosen:
            self._chosen = True
            self._health.started(self.profile, self.clock())

    def wait(self, delay: float) -> None:
        """A retry follows after *delay* seconds."""
        self.waited = delay
        self.waited_here += delay

    def loading_delay(self, asked_for: float) -> float | None:
        """Seconds until this server, which is loading its model, is asked again; None where it is not, or no longer.

        At least the seconds that it *asked_for*.
        """
        delay = max(loading_delay(self._loading_asked), asked_for)
        remaining = self.remaining()
        if self._loading_waited + delay > self.target.profile.timeouts.loading:
            return None
        if not self.target.awaits_loading and self.left():
            return None
        if remaining is not None and delay >= remaining:
            return None
        self._loading_asked += 1
        self._loading_waited += delay
        return delay

    def remaining(self) -> float | None:
        """Seconds until the call must end, None without a limit."""
        return None if self.limit is None else self.began + self.limit - self.clock()

    def attempt_deadline(self) -> float | None:
        """The time by which an attempt that begins now must have ended."""
        limits = [self.target.profile.timeouts.attempt, self.remaining()]
        return min((self.clock() + limit for limit in limits if limit is not None), default=None)

    def hurried_profile(self) -> Profile:
        """This profile for questions to its server, which may take no more than is left of the attempt."""
        profile, deadline = self.target.profile, self.attempt_deadline()
        if deadline is None:
            return profile
        limits = attrs.evolve(profile.timeouts, attempt=max(0.0, deadline - self.clock()))
        return attrs.evolve(profile, timeouts=limits)

    def begin_attempt(self) -> None:
        """An attempt is under way."""
        self._attempt_began = self.clock()
        self._answered = False

    def answers(self) -> None:
        """A piece of the reply has come."""
        if not self._answered and self._attempt_began is not None:
            self._answered = True
            self._health.answered(self.profile, self.clock() - self._attempt_began)

    @property
    def elapsed(self) -> float:
        """Seconds since the attempt began that is under way."""
        return 0.0 if self._attempt_began is None else self.clock() - self._attempt_began

    def end_attempt(self, *, ok: bool | None) -> float:
        """It has succeeded, failed, or (None) ended without an outcome. Gives its seconds."""
        elapsed = self.elapsed
        if self._chosen:
            self._note(ok=ok)
        self._probes = self._probes and ok is None
        self._chosen, self._attempt_began = False, None
        return elapsed

    def _note(self, *, ok: bool | None) -> None:
        if ok is True:
            self.answers()
            self._health.succeeded(self.profile, self.clock())
        elif ok is False:
            self._health.failed(self.profile, self.clock())
        elif self._attempt_began is not None:
            self._health.abandoned(self.profile)
        else:
            self._health.withdrawn(self.profile)

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
