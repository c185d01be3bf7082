"""A thousand calls at once in one event loop: CPU time and memory of a call, against AsyncOpenAI.

    python benchmarks/in_flight.py

For the CPU time the server answers as fast as it can. Memory is what the process has grown by when all requests have
been sent and none is answered.
"""

from __future__ import annotations

import asyncio
import gc
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

from asking import ASYNC_CALLS, AsyncAsk, ours_ask, sdk_ask
from conversations import conversation
from harness import Contender, Figure, Missing, Row, Work, compare, main
from server import Server
from workers import apart

CALLS = 1000

ROUNDS = 5
"""A thousand calls are a long block."""


def rows() -> Iterator[Row]:
    """CPU and memory."""
    with Server() as server:
        yield compare(
            f"one of {CALLS:,} calls in flight: CPU",
            against=flying("AsyncOpenAI", sdk_ask, server, "openai"),
            ours=flying("roleforge-llm", ours_ask, server, "roleforge-llm"),
            peers=[flying(name, make, server, owner) for name, (make, owner) in ASYNC_CALLS.items()],
            target=0.5,
            rounds=ROUNDS,
        )
        yield Row(
            f"one of {CALLS:,} calls in flight: memory",
            held("AsyncOpenAI", sdk_ask, server, "openai"),
            held("roleforge-llm", ours_ask, server, "roleforge-llm"),
            tuple(held(name, make, server, owner) for name, (make, owner) in ASYNC_CALLS.items()),
            target=15,
        )


def flying(name: str, make: Callable[[str], AsyncAsk], server: Server, distribution: str) -> Contender:
    """A contender that makes all calls at once, again and again in one event loop, as an application does."""
    messages = conversation(2)

    def prepare() -> Work:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)

        async def made() -> AsyncAsk:
            return make(server.url("whole"))

        ask = loop.run_until_complete(made())

        async def all_at_once() -> None:
            texts = await asyncio.gather(*(ask(messages) for _ in range(CALLS)))
            assert all(texts), "what gives no text cannot be compared"

        def work(times: int) -> None:
            for _ in range(times):
                loop.run_until_complete(all_at_once())

        return work

    return Contender(name, prepare, distribution, unit=CALLS)


def held(name: str, make: Callable[[str], AsyncAsk], server: Server, distribution: str) -> Figure:
    """How many KB the process grows by for each call that waits for its reply."""
    title = Contender(name, lambda: lambda _: None, distribution).title
    try:
        kilobytes = apart(lambda: asyncio.run(_grown(make, server)))
    except Missing as missing:
        return Figure(title, missing=str(missing))
    return Figure(title, kilobytes, kilobytes, kilobytes, unit="KB")


async def _grown(make: Callable[[str], AsyncAsk], server: Server) -> float:
    messages, ask, waiting = conversation(2), make(server.url("whole")), make(server.url("held"))
    await asyncio.gather(*(ask(messages) for _ in range(10)))  # what only first calls load
    gc.collect()
    before, sent = _resident(), server.requests("held")
    calls = [asyncio.ensure_future(waiting(messages)) for _ in range(CALLS)]
    while server.requests("held") < sent + CALLS:  # noqa: ASYNC110  # another process counts
        await asyncio.sleep(0.01)
    gc.collect()
    grown = (_resident() - before) / CALLS
    for call in calls:
        call.cancel()
    return grown


def _resident() -> float:
    """KB of memory that the process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1024


if __name__ == "__main__":
    main(rows)
