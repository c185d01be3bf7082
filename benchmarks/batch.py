"""What a batch costs above a plain loop over the async client, and how much of a server's time it uses.

    python benchmarks/batch.py

The first table is CPU time of one process for each row, as a ratio to ``asyncio.gather`` with a semaphore over
``AsyncClient.complete``, on a server that answers at once: of ``AsyncClient.batch`` alone, and of the whole command
with its reading, checking and writing. All take turns in short blocks; the median of the ratios of neighbouring blocks
counts.

The second is rows in a second on a server that takes 20 ms, as a share of concurrency / latency, up to what this
machine can do at all (1 / CPU time of a row); beside it what the plain loop reaches. They take turns, and each is the
best of its runs: what others take away on a busy machine is not the batch's.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Self

import roleforge_llm as rf

ROWS = 400
BLOCKS = 15
AT_ONCE = 16
LATENCY = 0.02
SHARES = (1, 2, 4, 8, 16, 32)

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How are you today?"}]
REPLY = {
    "id": "r",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Fine, thanks."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 4, "total_tokens": 24},
}


def main() -> None:
    """Print both tables."""
    print(f"Python {platform.python_version()}, {ROWS} rows in a block, {AT_ONCE} at once")
    with tempfile.TemporaryDirectory() as folder, server(0) as at_once, server(LATENCY) as slow:
        costs = compared(at_once, Path(folder))
        for name, seconds, ratio in costs:
            print(f"{name:<24} {seconds * 1e6:6.0f} us of CPU a row   ratio {ratio:.2f}")
        limit = 1 / costs[-1][1]
        print(f"a server that takes {LATENCY * 1e3:.0f} ms; this machine can do about {limit:.0f} rows a second")
        for concurrency in SHARES:
            loop, ours = throughput(slow, Path(folder), concurrency)
            ideal = min(concurrency / LATENCY, limit)
            print(
                f"{concurrency:>4} at once   {ours:6.0f} rows a second   {ours / ideal:4.0%} of {ideal:.0f}   "
                f"plain loop {loop / ideal:4.0%}"
            )


# ---------------------------------------------------------------------- contenders, each in a process of its own


def compared(url: str, folder: Path) -> list[tuple[str, float, float]]:
    """(name, seconds of CPU for a row, ratio to the plain loop) of each contender."""
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(Worker(name, url, folder)) for name in CONTENDERS]
        rounds = [[worker.run(ROWS, AT_ONCE)[0] / ROWS for worker in workers] for _ in range(BLOCKS)]
    columns = list(zip(*rounds, strict=True))
    return [
        (
            name,
            statistics.median(column),
            statistics.median(ours / plain for ours, plain in zip(column, columns[0], strict=True)),
        )
        for name, column in zip(CONTENDERS, columns, strict=True)
    ]


def throughput(url: str, folder: Path, concurrency: int) -> tuple[float, float]:
    """Rows in a second of the plain loop and of a batch."""
    count = max(30, concurrency * 20)
    with Worker("plain loop", url, folder) as loop, Worker("AsyncClient.batch", url, folder) as ours:
        runs = [(loop.run(count, concurrency)[1], ours.run(count, concurrency)[1]) for _ in range(7)]
    return count / min(plain for plain, _ in runs), count / min(batch for _, batch in runs)


class Worker:
    """A contender, ready to take blocks of rows."""

    def __init__(self, name: str, url: str, folder: Path) -> None:
        command = [sys.executable, __file__, "worker", name, url, str(folder / f"{name}-{os.urandom(4).hex()}")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run(20, 2)

    def run(self, count: int, concurrency: int) -> tuple[float, float]:
        """Seconds of CPU and of the clock for so many rows."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(count, concurrency, file=self._process.stdin, flush=True)
        cpu, wall = map(float, self._process.stdout.readline().split())
        return cpu, wall

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def work(name: str, url: str, folder: Path) -> None:
    """Take blocks from stdin, and tell what each cost."""
    folder.mkdir()
    config = {"profiles": {"main": {"baseURL": url, "model": "m"}}}
    (folder / "roleforge-llm.json").write_text(json.dumps(config))
    os.chdir(folder)
    for line in sys.stdin:
        count, concurrency = map(int, line.split())
        prepare(count)
        cpu, wall = time.process_time(), time.perf_counter()
        CONTENDERS[name](count, concurrency)
        print(time.process_time() - cpu, time.perf_counter() - wall, flush=True)


def prepare(count: int) -> None:
    """Write the input, which only the command reads."""
    rows = (json.dumps({"id": f"row-{number}", "messages": MESSAGES}) for number in range(count))
    Path("in.jsonl").write_text("\n".join(rows) + "\n")


def plain(count: int, concurrency: int) -> None:
    """What one would write without a batch."""

    async def run(client: rf.AsyncClient) -> None:
        gate = asyncio.Semaphore(concurrency)

        async def one() -> rf.Completion:
            async with gate:
                return await client.complete(MESSAGES)

        found = await asyncio.gather(*(one() for _ in range(count)))
        assert len(found) == count

    with_client(run)


def batch(count: int, concurrency: int) -> None:
    """The batch of the library."""

    async def run(client: rf.AsyncClient) -> None:
        rows = ({"id": f"row-{number}", "messages": MESSAGES} for number in range(count))
        async with client.batch(rows, concurrency=concurrency) as found:
            assert len([result async for result in found if result.ok]) == count

    with_client(run)


def with_client(run: Callable[[rf.AsyncClient], Awaitable[None]]) -> None:
    async def running() -> None:
        async with rf.AsyncClient.from_config() as client:
            await run(client)

    asyncio.run(running())


def command(count: int, concurrency: int) -> None:
    """The command, without the start of a process."""
    from roleforge_llm.cli import main as run

    with contextlib.redirect_stderr(io.StringIO()):
        run(["batch", "in.jsonl", "-o", "out.jsonl", "--overwrite", "--concurrency", str(concurrency)])
    assert Path("out.jsonl").read_bytes().count(b"\n") == count


CONTENDERS = {"plain loop": plain, "AsyncClient.batch": batch, "the command": command}


# ---------------------------------------------------------------------- the server


@contextlib.contextmanager
def server(seconds: float) -> Iterator[str]:
    """A server that answers every request after so many seconds; gives its address."""
    process = subprocess.Popen([sys.executable, __file__, "server", str(seconds)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.kill()
        process.communicate()


class Answering(asyncio.Protocol):
    """Answers as soon as the body of a request is there, or *seconds* later. As little as a server can be."""

    def __init__(self, seconds: float) -> None:
        body = json.dumps(REPLY).encode()
        self._seconds = seconds
        self._answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if end and len(body) >= int(length):
            self._received = b""
            asyncio.get_running_loop().call_later(self._seconds, self._transport.write, self._answer)


def serve(seconds: float) -> None:
    async def serving() -> None:
        found = await asyncio.get_running_loop().create_server(lambda: Answering(seconds), "127.0.0.1", 0)
        print(found.sockets[0].getsockname()[1], flush=True)
        await found.serve_forever()

    asyncio.run(serving())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["worker", name, url, folder]:
            work(name, url, Path(folder))
        case ["server", seconds]:
            serve(float(seconds))
        case _:
            main()
