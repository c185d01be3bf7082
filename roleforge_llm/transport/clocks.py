"""The time limits of one attempt, on the monotonic clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from roleforge_llm.errors import Timeout
from roleforge_llm.profiles import Timeouts

__all__ = ["Clock"]

_WORDS = {
    "connect": "no connection",
    "first-token": "no first piece of a reply was taken",
    "idle": "no next piece of the reply",
    "attempt": "no complete reply to this attempt",
    "total": "no complete reply before the deadline of the call",
}

_MOMENT = 0.05


class Clock:
    """Which limit ends next.

    *timeouts* are a profile's, *deadline* is a time of *now* (or None). The attempt's own limit runs from
    the clock's creation and, with the deadline, holds throughout; one of connect, first token and idle runs
    beside it. A deadline that is the attempt's own limit, reckoned a moment earlier by the client, is called
    that and not the deadline of the call. Whoever waits asks :meth:`remaining` before every wait, so that a
    server that drips bytes gains nothing by it.
    """

    __slots__ = ("_end", "_end_kind", "_expires", "_kind", "_now", "_started", "_timeouts")

    def __init__(
        self, timeouts: Timeouts, deadline: float | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._timeouts = timeouts
        self._now = now
        self._started = now()
        self._end = math.inf if timeouts.attempt is None else self._started + timeouts.attempt
        self._end_kind = "attempt"
        if deadline is not None and deadline < self._end:
            self._end_kind = "total" if deadline < self._end - _MOMENT else "attempt"
            self._end = deadline
        self._expires, self._kind = self._end, self._end_kind

    def connecting(self) -> None:
        """A connection is being opened."""
        self._limit(self._timeouts.connect, "connect")

    def sent(self) -> None:
        """The request is on its way: from here on the first piece of the reply is waited for."""
        self._limit(self._timeouts.first_token, "first-token")

    def progress(self) -> None:
        """A piece of the reply was taken: from here on the next one is waited for."""
        self._limit(self._timeouts.idle, "idle")

    def at_most(self, seconds: float) -> None:
        """Wait no longer than *seconds* from now, whatever else is allowed."""
        self._expires = min(self._expires, self._now() + seconds)

    def remaining(self) -> float | None:
        """Seconds that may be waited now, None without a limit. Raises :class:`Timeout` if none are left."""
        if self._expires == math.inf:
            return None
        left = self._expires - self._now()
        if left <= 0:
            raise self.timeout()
        return left

    def timeout(self) -> Timeout:
        """The error for the limit that ends next."""
        elapsed = self._now() - self._started
        return Timeout(f"{_WORDS[self._kind]} after {elapsed:.3g} s (limit: {self._kind})", kind=self._kind)

    def _limit(self, seconds: float | None, kind: str) -> None:
        self._expires, self._kind = self._end, self._end_kind
        if seconds is not None and (expires := self._now() + seconds) < self._end:
            self._expires, self._kind = expires, kind
