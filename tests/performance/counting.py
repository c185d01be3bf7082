"""What a piece of work does, counted in function calls: the same on every machine, however busy that is."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

__all__ = ["Work", "at_most", "counting"]

Work = Counter[str]
"""How often each function was called, Python's and C's, by this thread."""


@contextmanager
def counting() -> Iterator[Work]:
    """Count the calls of the block."""
    work: Work = Counter()
    note = _noting(work)
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield work
    finally:
        sys.setprofile(before)


def _noting(work: Work) -> Callable[[FrameType, str, object], None]:
    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            code = frame.f_code
            work[f"{Path(code.co_filename).name}:{code.co_name}"] += 1
        elif event == "c_call":
            work[f"C:{getattr(argument, '__qualname__', argument)}"] += 1

    return note


def at_most(bound: float, what: str, less: Work, more: Work, times: int, script: str) -> None:
    """Fail where *more*, which is *less* with *times* of *what*, did more than *bound* calls for each of them.

    Two sizes of one piece of work are compared, so that what is done once does not count.
    """
    added = more.total() - less.total()
    if added / times <= bound:
        return
    grown = (more - less).most_common(12)
    most = "\n".join(f"    {count / times:8.2f}  {name}" for name, count in grown)
    raise AssertionError(
        f"{what} has become more expensive: {added / times:.1f} function calls, at most {bound:g} are expected.\n"
        f"Most of them:\n{most}\n"
        f"`python -m cProfile -s tottime benchmarks/{script}` shows where time goes. If what is new is worth it, "
        f"measure with `python benchmarks/{script}` and raise the bound."
    )
