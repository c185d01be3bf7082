"""A process for each contender, so that nothing that one of them loads or leaves running weighs on another."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self, TypeAlias

__all__ = ["Missing", "Work", "Worker", "apart"]

Work: TypeAlias = Callable[[int], object]
"""Does something as often as the number says."""

BLOCK = 0.1
"""Seconds of CPU that a block takes, at least: long enough to be measured, short enough to share its surroundings
with the blocks around it."""


class Missing(Exception):
    """A contender that cannot take part, and why."""


class Worker:
    """The process of one contender; a context manager. Raises :class:`Missing` where *prepare* cannot import it.

    *children*: what counts is the CPU time of the commands that the work runs, not the process's own.
    """

    def __init__(self, prepare: Callable[[], Work], *, children: bool = False) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
        self._process = context.Process(target=_serve, args=(theirs, prepare, who), daemon=True)
        self._process.start()
        theirs.close()
        _received(self._pipe)

    def seconds(self) -> float:
        """Do one block of work; seconds of CPU for one operation of it."""
        self._pipe.send("go")
        return _received(self._pipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()


def apart(measure: Callable[[], float]) -> float:
    """What *measure* gives in a process of its own. Raises :class:`Missing` where it cannot import something."""
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    process = context.Process(target=_tell, args=(theirs, measure), daemon=True)
    process.start()
    theirs.close()
    try:
        return _received(mine)
    finally:
        process.kill()
        process.join()


def _tell(pipe: Connection, measure: Callable[[], float]) -> None:
    try:
        pipe.send(float(measure()))
    except (ImportError, Missing) as error:
        pipe.send(_reason(error))
    except BaseException:  # noqa: BLE001  # shown here, and the parent notices the end
        traceback.print_exc()
    finally:
        os._exit(0)


def _received(pipe: Connection) -> float:
    try:
        answer = pipe.recv()
    except EOFError:
        raise RuntimeError("a contender's process has died; its error stands above") from None
    if isinstance(answer, str):
        raise Missing(answer)
    assert isinstance(answer, float)
    return answer


def _serve(pipe: Connection, prepare: Callable[[], Work], who: int) -> None:
    """What the process does: prepare, find out how much work a block is, then one block whenever asked."""
    try:
        work = prepare()
        times = _enough(work, who)
        pipe.send(0.0)
        while pipe.recv():
            pipe.send(_cpu(work, times, who) / times)
    except (ImportError, Missing) as error:
        pipe.send(_reason(error))
    except EOFError:
        pass
    except BaseException:  # noqa: BLE001  # shown here, and the parent notices the end
        traceback.print_exc()
    finally:
        os._exit(0)  # peers leave threads behind that would keep the process


def _reason(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"not installed ({error.name})"
    return str(error)


def _enough(work: Work, who: int) -> int:
    """How many operations fill a block. Warms up at the same time."""
    work(1)
    times = 1
    while (spent := _cpu(work, times, who)) < BLOCK / 2:
        times = max(times * 2, int(times * BLOCK / 2 / max(spent, 1e-6)))
    return max(1, round(times * BLOCK / spent))


def _cpu(work: Work, times: int, who: int) -> float:
    gc.collect()
    before = resource.getrusage(who)
    work(times)
    after = resource.getrusage(who)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
