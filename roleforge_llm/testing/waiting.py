"""Tests of retries without their waits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["no_waiting"]

_NEVER_REACHED = 1_000_000_000


@contextlib.contextmanager
def no_waiting() -> Iterator[None]:
    """Make every wait between retries zero, and change nothing else: as many retries, the same decisions.

    ``Attempt.waited`` and the log still tell the seconds that would have been waited.
    """
    import stamina

    with stamina.set_testing(True, attempts=_NEVER_REACHED, cap=True):
        yield
