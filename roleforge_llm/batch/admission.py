"""Which row may start now. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from roleforge_llm.attempts import Attempt
from roleforge_llm.batch.pace import Pace
from roleforge_llm.batch.rows import BatchRow
from roleforge_llm.errors import BatchError

__all__ = ["Admission", "Concurrency", "Waiting"]

Concurrency: TypeAlias = int | Literal["auto"]

_BUSY = {429, 503, 529}


class Admission:
    """How many rows may be in flight: in all, and for each profile that rows are for.

    With *concurrency* "auto" each profile has a :class:`Pace`, of at most *maximum*; a number is the limit for all.
    *limits* bound single profiles further. Raises :class:`BatchError` for limits that are none.
    """

    def __init__(self, concurrency: Concurrency, maximum: int, limits: Mapping[str, int]) -> None:
        for number in (maximum if concurrency == "auto" else concurrency, *limits.values()):
            if isinstance(number, bool) or not isinstance(number, int) or number < 1:
                raise BatchError(f"a limit of requests at once must be a whole number from 1, not {number!r:.60}")
        self.most = maximum if concurrency == "auto" else concurrency
        self._adapts = concurrency == "auto"
        self._limits = limits
        self._paces: dict[str, Pace] = {}
        self._flying: dict[str, int] = {}
        self._total = 0

    def limit(self, profile: str) -> int:
        """How many rows for *profile* may be in flight now."""
        if self._adapts:
            return self._pace(profile).limit
        return min(self.most, self._limits.get(profile, self.most))

    def _pace(self, profile: str) -> Pace:
        if (pace := self._paces.get(profile)) is None:
            pace = self._paces[profile] = Pace(min(self.most, self._limits.get(profile, self.most)))
        return pace

    def has_room(self, profile: str) -> bool:
        """Whether one more row for *profile* may start."""
        return self._total < self.most and self._flying.get(profile, 0) < self.limit(profile)

    def started(self, profile: str) -> None:
        """A row for *profile* is in flight."""
        self._total += 1
        self._flying[profile] = self._flying.get(profile, 0) + 1

    def ended(self, profile: str, began: float, now: float, attempts: Iterable[Attempt] = ()) -> None:
        """That row, which *began* then, has ended *now*, after *attempts*."""
        in_flight = self._flying[profile]
        self._total -= 1
        self._flying[profile] = in_flight - 1
        if not self._adapts:
            return
        pace = self._pace(profile)
        for attempt in attempts:
            if attempt.ok:
                pace.succeeded(began, now, attempt.elapsed, in_flight=in_flight)
            elif attempt.status in _BUSY and attempt.kind != "quota":
                pace.was_busy(began, now)


class Waiting:
    """Rows that were read and wait for room at their profile: the oldest that can start is next.

    Each has a ticket, a number that grows from row to row.
    """

    def __init__(self) -> None:
        self._rows: dict[str, deque[tuple[int, BatchRow]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, ticket: int, profile: str, row: BatchRow) -> None:
        """*row* waits for *profile*."""
        self._rows.setdefault(profile, deque()).append((ticket, row))
        self._count += 1

    def next(self, admission: Admission) -> tuple[int, str, BatchRow] | None:
        """Ticket, profile and row of the one that starts now; None where there is no room for any."""
        if not self._count:
            return None
        ready = [(rows[0][0], name) for name, rows in self._rows.items() if rows and admission.has_room(name)]
        if not ready:
            return None
        ticket, profile = min(ready)
        self._count -= 1
        return ticket, profile, self._rows[profile].popleft()[1]

    def clear(self) -> list[int]:
        """Give up all that wait; gives their tickets."""
        tickets = [ticket for rows in self._rows.values() for ticket, _ in rows]
        self._rows.clear()
        self._count = 0
        return tickets
