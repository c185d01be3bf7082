"""What ``batch`` does with each row: ask for a reply, or render a prompt."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from roleforge_llm.batch.admission import Concurrency
from roleforge_llm.batch.inputs import Input
from roleforge_llm.batch.prompts import ProfilePrompts, PromptMaker, rendered
from roleforge_llm.batch.reading import RowReader
from roleforge_llm.batch.results import BatchResult
from roleforge_llm.batch.rows import BatchRow
from roleforge_llm.batch.running import Batch
from roleforge_llm.cli.options import Settings, tell_log
from roleforge_llm.cli.output import say
from roleforge_llm.profiles import UnsetVariable

__all__ = ["Asking", "Mode", "Rendering"]


class Mode(Protocol):
    """One way to make results of rows.

    *grace* is how many seconds rows in flight have after an interruption, *block* how many bytes of results may be
    gathered before they are written.
    """

    grace: float
    block: int

    def results(self, reader: RowReader, source: Input) -> AsyncGenerator[BatchResult, None]:
        """The results of all rows, or until :meth:`stop`."""
        ...

    def stop(self) -> None:
        """Begin no further row."""
        ...

    def mask(self, text: str) -> str:
        """*text* without secrets."""
        ...

    @property
    def at_once(self) -> str:
        """How many rows are under way, for people; empty where that says nothing."""
        ...


class Asking:
    """A reply for each row. Raises what makes that impossible for all of them."""

    block = 0

    def __init__(
        self,
        settings: Settings,
        profile: str | None,
        concurrency: Concurrency,
        max_concurrency: int,
        limits: Mapping[str, int],
        *,
        in_order: bool,
        grace: float,
    ) -> None:
        from roleforge_llm.client import AsyncClient
        from roleforge_llm.transport import Mask

        config = settings.read_config()
        self.grace = grace
        self._client = AsyncClient(config)
        self._client.plan(profile)
        for name in limits:
            config.profile(name)
        self._started = functools.partial(
            self._client.batch,
            profile=profile,
            concurrency=concurrency,
            max_concurrency=max_concurrency,
            limits=limits,
            in_order=in_order,
        )
        self._batch: Batch | None = None
        secrets: list[str] = []
        for each in config.profiles.values():
            with suppress(UnsetVariable):
                secrets += each.secrets()
        self.mask = Mask(secrets)
        # They stand in the rows; a line for each of a million would hide the progress.
        tell_log(attempts=False)

    async def results(self, reader: RowReader, source: Input) -> AsyncGenerator[BatchResult, None]:
        """The replies."""
        rows = reader.arows(source.apieces()) if source.size is None else reader.rows(source.pieces())
        async with self._client, self._started(rows) as self._batch:
            async for result in self._batch:
                yield result

    def stop(self) -> None:
        """Begin no further row."""
        if self._batch is not None:
            self._batch.stop()

    @property
    def at_once(self) -> str:
        """How many rows are under way, and may be."""
        return "" if self._batch is None else f"{self._batch.in_flight} of {self._batch.limit()} at once"


class Rendering:
    """A prompt for each row, in the format of that name or of the row's profile. Nothing is sent."""

    block = 1 << 16
    grace = 0.0
    at_once = ""

    def __init__(self, settings: Settings, profile: str | None, format_name: str | None) -> None:
        self._maker_of = _maker(settings, format_name) if format_name else _makers(settings, profile)

    async def results(self, reader: RowReader, source: Input) -> AsyncGenerator[BatchResult, None]:
        """The prompts."""
        async for row in reader.arows(source.apieces()):
            yield row if isinstance(row, BatchResult) else rendered(row, self._maker_of)

    def stop(self) -> None:
        """Nothing is in flight: leaving is enough."""

    def mask(self, text: str) -> str:
        """*text*: no secret comes near it."""
        return text


def _maker(settings: Settings, format_name: str) -> Callable[[BatchRow], PromptMaker]:
    """The same prompt format for all rows: needs no configuration."""
    from roleforge_llm.formats import find_format

    found = find_format(format_name, settings.host(), settings.template_folders())
    for warning in found.warnings:
        say(f"warning: {warning}")
    maker = PromptMaker(found.format, tuple(found.warnings))
    return lambda _: maker


def _makers(settings: Settings, profile: str | None) -> Callable[[BatchRow], PromptMaker]:
    config = settings.read_config()
    makers = ProfilePrompts(config, settings.host(), profile)
    makers.of(config.profile(profile).name)
    return makers
