"""Where rows come from: any iterable or async iterable, read one by one and never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Generic, TypeVar

from roleforge_llm.errors import BatchError

__all__ = ["Source"]

T = TypeVar("T")


class Source(Generic[T]):
    """Reads *rows*; ``position`` is how many it has read."""

    def __init__(self, rows: Iterable[T] | AsyncIterable[T]) -> None:
        self.position = 0
        self.is_over = False
        self._error: Exception | None = None
        self._pending: asyncio.Future[T | None] | None = None
        self._later: AsyncIterator[T] | None = None
        self._now: Iterator[T] | None = None
        if isinstance(rows, AsyncIterable):
            self._later = aiter(rows)
        elif isinstance(rows, Iterable) and not isinstance(rows, (str, bytes, dict)):
            self._now = iter(rows)
        else:
            raise BatchError(f"rows must be a list or an iterable of rows, not {type(rows).__name__}")

    def next(self, wake: Callable[[], object]) -> T | None:
        """The next row; None where there is none now, and *wake* is called when there may be one."""
        if self.is_over:
            return None
        try:
            row = next(self._now, None) if self._now is not None else self._arrived(wake)
        except Exception as error:  # noqa: BLE001  # told when all that was in flight is out
            self._error, row = error, None
        if row is not None:
            self.position += 1
        elif self._pending is None:
            self.is_over = True
        return row

    def _arrived(self, wake: Callable[[], object]) -> T | None:
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._one())
            self._pending.add_done_callback(lambda _: wake())
        if not self._pending.done():
            return None
        pending, self._pending = self._pending, None
        return pending.result()

    async def _one(self) -> T | None:
        assert self._later is not None, "asked only of an async iterable"
        return await anext(self._later, None)

    def stop(self) -> None:
        """Read no further."""
        self.is_over = True
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None

    def raise_its_error(self) -> None:
        """Raise what reading has raised, if it did."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error
