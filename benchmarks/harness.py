"""Comparing what several ways of doing one thing cost, side by side on one machine.

Absolute times mean nothing on a shared machine, so every figure is a ratio to a reference measured in the same run:
each contender has a process of its own, and all of them take turns, one short block of work after the other. What is
measured is CPU time (user and system, all threads) of that process, or of the commands that it runs.

A script is one or a few rows of the table in docs/PERFORMANCE.md::

    def rows() -> Iterator[Row]:
        yield compare(
            "rendering 200 messages",
            against=Contender("jinja2", prepare_jinja2, "jinja2"),
            ours=Contender("roleforge-llm", prepare_ours, "roleforge-llm"),
            peers=[Contender("transformers", prepare_transformers, "transformers")],
            target=1.7,
        )

    if __name__ == "__main__":
        main(rows)

A *prepare* function runs in the contender's process: it imports, sets up, and gives a function of a number, which does
the work that many times (:func:`repeated` makes one of a plain function). An ImportError in it means that the peer is
not installed, which the row says.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version

import attrs

from report import Figure, Row
from workers import Missing, Work, Worker

__all__ = [
    "Contender",
    "Figure",
    "Missing",
    "Row",
    "Work",
    "command",
    "compare",
    "main",
    "repeated",
    "spread",
    "surroundings",
]

ROUNDS = 15


@attrs.frozen
class Contender:
    """One way of doing the thing.

    *distribution* is whose version is shown; *children*: the work is done by commands; *unit* is how many of the
    things that the row is about one operation does (tokens in a stream).
    """

    name: str
    prepare: Callable[[], Work]
    distribution: str | None = None
    children: bool = False
    unit: int = 1

    @property
    def title(self) -> str:
        """Name and version."""
        if self.distribution is None:
            return self.name
        try:
            return f"{self.name} {version(self.distribution)}"
        except PackageNotFoundError:
            return self.name


def compare(
    what: str,
    *,
    against: Contender,
    ours: Contender,
    peers: Sequence[Contender] = (),
    target: float | None = None,
    rounds: int = ROUNDS,
) -> Row:
    """A row: the CPU time of *ours* and of *peers* as ratios to *against*, with the quartiles of these ratios."""
    with ExitStack() as stack:
        needed = [stack.enter_context(_worker(contender)) for contender in (against, ours)]
        workers = [*needed, *(_started(peer, stack) for peer in peers)]
        seconds = _measured(workers, rounds)
    reference, *figures = [
        _figure(contender, worker, seconds[0], own)
        for contender, worker, own in zip((against, ours, *peers), workers, seconds, strict=True)
    ]
    return Row(what, reference, figures[0], tuple(figures[1:]), target)


def _worker(contender: Contender) -> Worker:
    return Worker(contender.prepare, children=contender.children)


def _started(peer: Contender, stack: ExitStack) -> Worker | Missing:
    try:
        return stack.enter_context(_worker(peer))
    except Missing as missing:
        return missing


def _measured(workers: Sequence[Worker | Missing], rounds: int) -> list[list[float]]:
    """Seconds of CPU for one operation, by worker and round. Each round begins with another worker."""
    seconds: list[list[float]] = [[0.0] * rounds for _ in workers]
    for number in range(rounds):
        for turn in range(len(workers)):
            index = (number + turn) % len(workers)
            worker = workers[index]
            if isinstance(worker, Worker):
                seconds[index][number] = worker.seconds()
    return seconds


def _figure(contender: Contender, worker: Worker | Missing, reference: list[float], own: list[float]) -> Figure:
    if isinstance(worker, Missing):
        return Figure(contender.title, missing=str(worker))
    ratios = [mine / its for mine, its in zip(own, reference, strict=True)]
    return spread(contender.title, ratios, seconds=statistics.median(own) / contender.unit)


def spread(title: str, values: Sequence[float], *, seconds: float | None = None) -> Figure:
    """The median of *values* and their quartiles, as a figure."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return Figure(title, middle, low, high, seconds)


def repeated(operation: Callable[[], object]) -> Work:
    """*operation*, done as often as asked."""

    def work(times: int) -> None:
        for _ in range(times):
            operation()

    return work


def command(name: str, *arguments: str, distribution: str | None = None) -> Contender:
    """A contender that is a whole process: ``command("import", sys.executable, "-c", "import this")``."""

    def prepare() -> Work:
        def run() -> None:
            done = subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            if done.returncode:
                raise Missing(_last_line(done.stderr))

        _require(distribution)
        run()
        return repeated(run)

    return Contender(name, prepare, distribution, children=True)


def _require(distribution: str | None) -> None:
    """Raises :class:`Missing` where *distribution* is not installed: what the process says of it names local paths."""
    try:
        if distribution is not None:
            version(distribution)
    except PackageNotFoundError:
        raise Missing(f"not installed ({distribution})") from None


def _last_line(text: bytes) -> str:
    return (text.decode(errors="replace").strip().splitlines() or ["it failed"])[-1]


def main(rows: Callable[[], Iterable[Row]]) -> None:
    """Print the *rows* of a script; with ``--json`` each as one line of JSON, for benchmarks/run.py."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true", help="print each row as one line of JSON")
    is_json = parser.parse_args().json
    print(surroundings(), file=sys.stderr)
    for row in rows():
        print(json.dumps(attrs.asdict(row)) if is_json else row.text(), flush=True)


def surroundings() -> str:
    """What the figures depend on, in one line."""
    return f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
