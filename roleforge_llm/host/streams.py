"""What a plugin's code finds as stdout and stderr while the host runs it."""

from __future__ import annotations

import io
import sys
import threading
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["STAND_INS"]


class _ToStderr(io.RawIOBase):
    """Bytes for the stderr of the program. To close it, or to wrap it in a stream that is dropped, harms nothing."""

    def __init__(self, stderr: TextIO | None) -> None:
        self._stderr = stderr

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        text = bytes(data)
        if self._stderr is not None:
            self._stderr.write(text.decode("utf-8", "backslashreplace"))
        return len(text)

    def fileno(self) -> int:
        if self._stderr is None:
            raise io.UnsupportedOperation("this program has no stderr")
        return self._stderr.fileno()


class _StandIns:
    """In its block, sys.stdout and sys.stderr lead to stderr, and whatever is done to them is undone at its end.

    A plugin may replace them, close them, or wrap ``sys.stdout.buffer`` for another encoding. The streams belong
    to the whole process, so blocks in several threads, and blocks in blocks, share one pair of stand-ins: the
    first brings them and the last takes them away.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._real: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._real = (sys.stdout, sys.stderr)
                sys.stdout, sys.stderr = _stand_in(sys.stderr), _stand_in(sys.stderr)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                sys.stdout, sys.stderr = self._real


def _stand_in(stderr: TextIO | None) -> TextIO:
    # Unbuffered (a raw stream is all that it needs then): a plugin that keeps it cannot hold text back.
    raw = _ToStderr(stderr)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", "\n", write_through=True)  # type: ignore[type-var]  # as above


STAND_INS = _StandIns()
