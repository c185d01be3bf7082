"""One run of ``batch``: from its input to its output, with signals, progress and a summary."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from types import FrameType

from roleforge_llm.batch.inputs import Input
from roleforge_llm.batch.journal import Journal, encoded
from roleforge_llm.batch.reading import RowReader, lines_of
from roleforge_llm.batch.summary import Tally
from roleforge_llm.cli.batch_modes import Mode
from roleforge_llm.cli.batch_progress import Meter, display_for, summary
from roleforge_llm.cli.output import print_json, say

__all__ = ["BatchRun"]

_SYNC_SECONDS = 5.0


class BatchRun:
    """From *source* through *mode* to *journal*."""

    def __init__(self, mode: Mode, source: Input, journal: Journal, *, as_json: bool) -> None:
        self._mode = mode
        self._source = source
        self._journal = journal
        self._as_json = as_json
        self._reader = RowReader(journal.answered)
        self._tally = Tally.after(journal.answered)
        self._signal: int | None = None
        self._lost: OSError | None = None
        self._began = time.monotonic()

    def run(self) -> int:
        """Run it, and tell what it came to. Gives the exit code. Raises :class:`BatchError` before anything is sent."""
        answered = self._journal.answered
        if self._source.size is not None and answered.count:
            answered.check(lines_of(self._source.pieces()))
        try:
            asyncio.run(self._work())
        finally:
            self._tell()
        if self._signal is not None:
            return 128 + self._signal
        return 0 if self._tally.all_ok and self._lost is None else 1

    async def _work(self) -> None:
        self._began = time.monotonic()
        meter = Meter(self._tally, self._reader, self._mode, self._source.size, self._began)
        beside = [asyncio.create_task(display_for(meter).show()), asyncio.create_task(self._sync())]
        try:
            with self._signals(asyncio.get_running_loop(), asyncio.current_task()):
                await self._write()
        except asyncio.CancelledError:
            if self._signal is None:
                raise
            self._leave(128 + self._signal)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    def _leave(self, code: int) -> None:
        """End at once, even where a backend asks in threads: nobody can interrupt them, and Python waits for them."""
        if all(thread.daemon or thread is threading.main_thread() for thread in threading.enumerate()):
            return
        self._journal.close()
        self._tell()
        os._exit(code)

    async def _write(self) -> None:
        async with aclosing(self._mode.results(self._reader, self._source)) as results:
            async for result in results:
                if not self._put(encoded(result, self._mode.mask)):
                    return
                self._tally.add(result)
        self._put(b"")

    def _put(self, row: bytes) -> bool:
        """Write *row*, or with none what is still to be written; False where that fails: then the batch must end."""
        try:
            if row:
                self._journal.append(row)
            else:
                self._journal.flush()
        except OSError as error:
            self._lost = error
        return self._lost is None

    async def _sync(self) -> None:
        """Have the disk hold what was written, every few seconds, so that a crash of the machine costs no more."""
        while not self._mode.block:
            await asyncio.sleep(_SYNC_SECONDS)
            await asyncio.to_thread(self._journal.sync)

    # ------------------------------------------------------------------ interruptions

    @contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[None] | None) -> Iterator[None]:
        """Let SIGINT and SIGTERM end the batch: the first one in good order, the second one at once."""

        def interrupted(number: int) -> None:
            assert task is not None, "asyncio.run runs a task"
            if self._signal is not None:
                task.cancel()
                return
            self._signal = number
            self._mode.stop()
            if self._mode.grace:
                now = f" ({self._mode.at_once})" if self._mode.at_once else ""
                grace = f"{self._mode.grace:g} s"
                say(f"finishing what is under way{now}, for up to {grace}; interrupt again to end at once")
            loop.call_later(self._mode.grace, task.cancel)

        def received(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(interrupted, number)

        before = {number: signal.signal(number, received) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # ------------------------------------------------------------------ telling

    def _tell(self) -> None:
        seconds = time.monotonic() - self._began
        for line in summary(self._tally, seconds):
            say(line)
        where = self._journal.name
        if isinstance(self._lost, BrokenPipeError):
            pass  # who reads the rows has seen enough
        elif self._lost is not None:
            whole = f"its {self._journal.rows} rows are whole{self._cure}"
            say(f"error: cannot write {where}: {self._lost.strerror}; {whole}")
        elif self._signal is not None:
            say(f"interrupted; {where} has {self._journal.rows} rows{self._cure}")
        if self._as_json:
            print_json(self._tally.to_dict(seconds, interrupted=self._signal is not None))

    @property
    def _cure(self) -> str:
        return ": go on with --resume" if self._journal.is_resumable else ""
