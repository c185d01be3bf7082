"""A batch under way: rows are read, asked and handed out, never more of them at once than there is room for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Self, TypeAlias, cast

from roleforge_llm.backends import Completion
from roleforge_llm.batch.admission import Admission, Concurrency, Waiting
from roleforge_llm.batch.handing import Outlet
from roleforge_llm.batch.ids import SeenIds
from roleforge_llm.batch.results import BatchResult, refused
from roleforge_llm.batch.rows import BatchRow, batch_row, profile_of
from roleforge_llm.batch.sources import Source
from roleforge_llm.config import Config
from roleforge_llm.errors import RowError

__all__ = ["Answer", "AnyRow", "Batch", "Rows"]

AnyRow: TypeAlias = BatchRow | BatchResult | Mapping[str, object]
"""A row as an object; or what was read from one already: a row, or what is wrong with it."""

Rows: TypeAlias = Iterable[AnyRow] | AsyncIterable[AnyRow]

Answer: TypeAlias = Callable[[BatchRow, str, Mapping[str, asyncio.Semaphore]], Awaitable[Completion]]
"""Asks for a row with a profile. Attempts on a profile that has a semaphore take their turns by it."""

_READ_AHEAD = 64
_ORDERED_AHEAD = 4
_IMMEDIATE = 64


class Batch:
    """Results of rows as they come: an async iterator, and an async context manager that ends what is in flight.

    ::

        async with client.batch(rows) as batch:
            async for result in batch:
                ...

    It reads and asks only while somebody takes its results: a slow reader of results slows it down, and memory stays
    bounded. A row never raises: what is wrong is in its result. What *rows* itself raises is raised when all that was
    in flight has been handed out.
    """

    def __init__(
        self,
        rows: Rows,
        answer: Answer,
        config: Config,
        profile: str | None = None,
        *,
        concurrency: Concurrency = "auto",
        max_concurrency: int = 256,
        limits: Mapping[str, int] | None = None,
        in_order: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config.profile(profile)
        for name in limits or ():
            config.profile(name)
        self._answer = answer
        self._config = config
        self._profile = profile
        self._clock = clock
        self._admission = Admission(concurrency, max_concurrency, limits or {})
        self._turns = {name: asyncio.Semaphore(number) for name, number in (limits or {}).items()}
        self._most_held = self._admission.most * (_ORDERED_AHEAD if in_order else 1) + _READ_AHEAD
        self._source = Source(rows)
        self._seen = SeenIds()
        self._waiting = Waiting()
        self._outlet = Outlet(in_order=in_order)
        self._flying: set[asyncio.Task[None]] = set()
        self._something = asyncio.Event()
        self._immediate = 0

    @property
    def in_flight(self) -> int:
        """How many rows are under way."""
        return len(self._flying)

    def limit(self, profile: str | None = None) -> int:
        """How many rows for *profile* (by default the batch's) may be under way at once now."""
        return self._admission.limit(self._config.profile(self._profile if profile is None else profile).name)

    def stop(self) -> None:
        """Start no further row. The results of those in flight still come; then the batch is over."""
        self._source.stop()
        self._outlet.drop(self._waiting.clear())
        self._something.set()

    async def close(self) -> None:
        """End what is in flight, whatever has been paid for it."""
        self.stop()
        tasks = list(self._flying)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._flying.clear()

    def __aiter__(self) -> AsyncIterator[BatchResult]:
        return self

    async def __anext__(self) -> BatchResult:
        try:
            return await self._next()
        except asyncio.CancelledError:
            # As with a stream: who is cancelled has left, and nobody would take what is in flight.
            await self.close()
            raise

    async def _next(self) -> BatchResult:
        while True:
            self._something.clear()
            self._advance()
            if (result := self._outlet.take()) is not None:
                await self._let_others_run()
                return result
            if self._source.is_over and not self._flying:
                self._source.raise_its_error()
                raise StopAsyncIteration
            self._immediate = 0
            await self._something.wait()

    async def _let_others_run(self) -> None:
        """Results that never had to be waited for (of broken rows) must not keep the event loop for themselves."""
        self._immediate += 1
        if self._immediate >= _IMMEDIATE:
            self._immediate = 0
            await asyncio.sleep(0)

    # ------------------------------------------------------------------ reading and starting

    def _advance(self) -> None:
        """Read while there is room for rows, and start those that may."""
        while True:
            while (ready := self._waiting.next(self._admission)) is not None:
                self._start(*ready)
            if len(self._waiting) >= _READ_AHEAD or self._outlet.held >= self._most_held:
                return
            if (row := self._source.next(self._something.set)) is None:
                return
            self._take(row)

    def _take(self, given: AnyRow) -> None:
        ticket = self._outlet.expect()
        if isinstance(given, BatchResult):
            self._outlet.put(ticket, given)
            return
        line = self._source.position
        row: BatchRow | None = None
        try:
            row = given if isinstance(given, BatchRow) else self._read(given, line)
            self._waiting.add(ticket, profile_of(row, self._config, self._profile), row)
        except RowError as error:
            self._outlet.put(ticket, refused(error, line, row))

    def _read(self, given: Mapping[str, object], line: int) -> BatchRow:
        row = batch_row(given, line)
        self._seen.check(row.id)
        return row

    def _start(self, ticket: int, profile: str, row: BatchRow) -> None:
        self._admission.started(profile)
        self._flying.add(asyncio.create_task(self._ask(ticket, profile, row)))

    async def _ask(self, ticket: int, profile: str, row: BatchRow) -> None:
        began = self._clock()
        result: BatchResult | None = None
        try:
            completion = await self._answer(row, profile, self._turns)
            result = BatchResult(row.line, row.id, completion, profile=profile, checksum=row.checksum)
        except Exception as error:  # noqa: BLE001  # whatever a plugin does costs its row, and not the batch
            result = BatchResult(row.line, row.id, error=error, profile=profile, checksum=row.checksum)
        finally:
            self._end(ticket, profile, began, result)

    def _end(self, ticket: int, profile: str, began: float, result: BatchResult | None) -> None:
        """The row with that *ticket* has its *result*; None where it was cancelled."""
        self._admission.ended(profile, began, self._clock(), () if result is None else result.attempts)
        if result is None:
            self._outlet.drop([ticket])
        else:
            self._outlet.put(ticket, result)
        # Not by a callback of the task: that would come after the result has been handed out.
        self._flying.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        self._something.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
