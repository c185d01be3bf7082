"""How many requests at once: found out from the server's answers. Pure: no clock, no I/O, no randomness."""

from __future__ import annotations

__all__ = ["Pace"]

_FIRST = 4
_FEWEST_SAMPLES = 8
_PATIENCE = 6
_STEP = 1.25


class Pace:
    """The limit of requests in flight at one server, between 1 and *maximum*.

    A server says that there are too many of them by refusing some, or, long before, by taking longer: with a queue
    before it, twice the requests wait twice as long. So the limit is changed on trial, and a change is kept if it pays:

    - At first it doubles, as long as the latency rises by less than half as much (to less than 1.5 times).
    - Then it is left alone, and after some rounds tried a quarter higher, and the next time as much lower. The higher
      limit is kept if the latency rose by less than half as much, the lower if it fell by more than that.
    - A server that is busy (429, 503) halves it, once for all requests that were under way at that moment.

    A latency is the mean over at least eight requests, and as many as the limit allows at once, that began after the
    limit was last changed. Requests that did not use the limit up say nothing about it.
    """

    def __init__(self, maximum: int, first: int = _FIRST) -> None:
        self._maximum = max(1, maximum)
        self._limit = min(max(1, first), self._maximum)
        self._changed = float("-inf")
        self._halved = float("-inf")
        self._before: tuple[int, float] | None = None
        self._doubling = True
        self._upwards = True
        self._rounds = 0
        self._total = 0.0
        self._count = 0

    @property
    def limit(self) -> int:
        """How many requests may be in flight now."""
        return self._limit

    def succeeded(self, began: float, now: float, latency: float, *, in_flight: int) -> None:
        """A request that *began* then has ended *now*, when *in_flight* of them, itself included, were under way.

        *latency* is what the attempt took that gave the reply. All times are in seconds on one monotonic clock.
        """
        if began < self._changed or in_flight < self._limit:
            return
        self._total += max(latency, 1e-9)
        self._count += 1
        if self._count >= max(_FEWEST_SAMPLES, self._limit):
            self._end_of_round(now, self._total / self._count)

    def was_busy(self, began: float, now: float) -> None:
        """A request that *began* then was refused because the server is busy."""
        if began < self._halved:
            return
        self._halved = now
        self._doubling, self._upwards, self._before, self._rounds = False, True, None, 0
        self._set(max(1, self._limit // 2), now)

    def _end_of_round(self, now: float, latency: float) -> None:
        self._total, self._count = 0.0, 0
        if self._before is not None:
            kept = self._pays(latency)
            if not kept:
                self._set(self._before[0], now)
            self._before = None
            self._doubling = self._doubling and kept
            self._rounds = 0
            if not kept:
                return
        self._rounds += 1
        if self._doubling or self._rounds >= _PATIENCE:
            self._try(now, latency)

    def _pays(self, latency: float) -> bool:
        """Whether the latency changed by less than half as much as the limit, upwards, or by more, downwards."""
        assert self._before is not None, "asked only on trial"
        limit, reference = self._before
        growth = self._limit / limit
        return latency <= reference * (1 + (growth - 1) / 2)

    def _try(self, now: float, latency: float) -> None:
        tried = self._limit * 2 if self._doubling else self._neighbour()
        tried = min(max(1, tried), self._maximum)
        self._doubling = self._doubling and tried < self._maximum
        self._rounds = 0
        if tried != self._limit:
            self._before = (self._limit, latency)
            self._set(tried, now)

    def _neighbour(self) -> int:
        upwards, self._upwards = self._upwards, not self._upwards
        if upwards:
            return max(self._limit + 1, int(self._limit * _STEP))
        return min(self._limit - 1, int(self._limit / _STEP))

    def _set(self, limit: int, now: float) -> None:
        self._limit = limit
        self._changed = now
        self._total, self._count = 0.0, 0
