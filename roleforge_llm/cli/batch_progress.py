"""How a batch is doing: a bar on a terminal, plain lines elsewhere, and what it came to."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

import attrs

from roleforge_llm.batch.reading import RowReader
from roleforge_llm.batch.summary import Tally
from roleforge_llm.cli.batch_modes import Mode
from roleforge_llm.cli.output import say

__all__ = ["Meter", "display_for", "summary"]

_PLAIN_SECONDS = 5.0
_BAR_SECONDS = 0.2


@attrs.frozen
class Meter:
    """What there is to tell while a batch runs. *began* is the time of *clock* at which it did."""

    tally: Tally
    reader: RowReader
    mode: Mode
    size: int | None
    began: float
    clock: Callable[[], float] = time.monotonic

    @property
    def share(self) -> float | None:
        """How much of the input has been read, from 0 to 1; None where its size is not known."""
        return None if not self.size else min(1.0, self.reader.read / self.size)

    def parts(self) -> Iterator[str]:
        """The numbers of this moment, in words."""
        tally, seconds = self.tally, max(self.clock() - self.began, 1e-9)
        yield f"{tally.earlier + tally.rows} rows"
        yield f"{tally.rows / seconds:.3g}/s"
        if tally.failed:
            yield f"{tally.failed} failed"
        if tally.fallbacks:
            yield "fallbacks " + ", ".join(f"{name} {count}" for name, count in tally.fallbacks.most_common(3))
        if at_once := self.mode.at_once:
            yield at_once
        if (left := self._left(seconds)) is not None:
            yield f"{_time(left)} left"

    def _left(self, seconds: float) -> float | None:
        """Seconds until the end, if it goes on like this. What earlier runs answered was read in no time."""
        share, tally = self.share, self.tally
        if not share or not tally.rows:
            return None
        total = (tally.earlier + tally.rows) / share
        return seconds / tally.rows * max(0.0, total - tally.earlier - tally.rows)


class Display(Protocol):
    """Shows a meter until it is cancelled."""

    async def show(self) -> None:
        """Show it, again and again."""
        ...


def display_for(meter: Meter) -> Display:
    """A bar where stderr is a terminal, else lines."""
    return _Bar(meter) if sys.stderr is not None and sys.stderr.isatty() else _Lines(meter)


@attrs.frozen
class _Lines:
    meter: Meter

    async def show(self) -> None:
        while True:
            await asyncio.sleep(_PLAIN_SECONDS)
            say(", ".join(self.meter.parts()))


@attrs.frozen
class _Bar:
    meter: Meter

    async def show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (BarColumn(), TextColumn("{task.description}", markup=False))
        with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
            task = progress.add_task("", total=None if self.meter.share is None else 1.0)
            while True:
                progress.update(
                    task, completed=self.meter.share or 0.0, description="  ".join(self.meter.parts()), refresh=True
                )
                await asyncio.sleep(_BAR_SECONDS)


def summary(tally: Tally, seconds: float) -> Iterator[str]:
    """What it came to, line by line."""
    yield f"{tally.rows} rows in {_time(seconds)}: {tally.ok} ok, {tally.failed} failed"
    if tally.earlier:
        yield f"  before: {tally.earlier} rows, {tally.earlier_failed} of them failed"
    if tally.errors:
        yield f"  failed: {_counted(tally.errors.most_common())}"
    if tally.profiles:
        yield f"  answered: {_counted(tally.profiles.most_common())}"
    if tally.fallbacks:
        yield f"  of these as a fallback: {_counted(tally.fallbacks.most_common())}"
    if tally.prompt_tokens or tally.completion_tokens:
        yield f"  tokens: {tally.prompt_tokens} in prompts, {tally.completion_tokens} in replies"


def _counted(pairs: list[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in pairs)


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
