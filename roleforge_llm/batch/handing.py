"""In which order results are handed out: as they come, or as their rows came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from roleforge_llm.batch.results import BatchResult

__all__ = ["Outlet"]


class Outlet:
    """Takes results as they come and gives them on; *in_order*: not before those of all earlier rows.

    ``held`` is how many rows were expected whose result is not handed out yet.
    """

    def __init__(self, *, in_order: bool) -> None:
        self._expected: deque[int] | None = deque() if in_order else None
        self._ready: dict[int, BatchResult | None] = {}
        self._tickets = 0
        self.held = 0

    def expect(self) -> int:
        """A row has been read; gives the ticket that its result comes with."""
        self._tickets += 1
        self.held += 1
        if self._expected is not None:
            self._expected.append(self._tickets)
        return self._tickets

    def put(self, ticket: int, result: BatchResult) -> None:
        """The result of the row with that *ticket*."""
        self._ready[ticket] = result

    def drop(self, tickets: Iterable[int]) -> None:
        """The rows with these *tickets* will have no result."""
        for ticket in tickets:
            self._ready[ticket] = None

    def take(self) -> BatchResult | None:
        """The next result; None where there is none yet."""
        while (ticket := self._next()) is not None:
            self.held -= 1
            if (result := self._ready.pop(ticket)) is not None:
                return result
        return None

    def _next(self) -> int | None:
        if self._expected is None:
            return next(iter(self._ready), None)
        if self._expected and self._expected[0] in self._ready:
            return self._expected.popleft()
        return None
