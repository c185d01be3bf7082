"""The output of a batch: rows that are appended whole, and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

from roleforge_llm.batch.answered import Answered, head_of_a_row
from roleforge_llm.batch.results import BatchResult
from roleforge_llm.errors import BatchError

__all__ = ["Journal", "encoded"]

_STDOUT = 1


def encoded(result: BatchResult, mask: Callable[[str], str]) -> bytes:
    """The row of *result* as a line of JSON."""
    text = json.dumps(result.to_dict(mask), ensure_ascii=False)
    # Half of a surrogate pair, which a broken server may send, has the same escape in JSON.
    return (text + "\n").encode("utf-8", "backslashreplace")


class Journal:
    """An output that is open for appending. ``answered`` is what it already held.

    With *block* rows are gathered until there are so many bytes of them; without, each is written at once, so that
    a kill loses no reply that has come. Either way whole rows are written. ``rows`` is how many there are.
    """

    def __init__(self, descriptor: int, answered: Answered, name: str, *, block: int = 0) -> None:
        self._descriptor = descriptor
        self._block = block
        self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self.name = name
        self._gathered = bytearray()
        self.answered = answered
        self.rows = answered.count

    @classmethod
    def open(
        cls,
        path: str,
        *,
        resume: bool = False,
        retry_failed: bool = False,
        overwrite: bool = False,
        block: int = 0,
    ) -> Journal:
        """The output at *path*, "-" being stdout.

        With *retry_failed* a resumed output loses its failed rows, which then are not answered.

        Raises :class:`BatchError` for a file with rows, unless it is to *resume* or to *overwrite*, for one that is no
        output of a batch, and for one that another batch is writing to.
        """
        if path == "-":
            if resume:
                raise BatchError("an output to stdout cannot be resumed; write to a file")
            return cls(os.dup(_STDOUT), Answered(), "stdout", block=block)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise BatchError(f"{path}: cannot be written: {error.strerror}") from None
        try:
            answered = _prepared(descriptor, path, resume, overwrite)
            if retry_failed and answered.failed:
                descriptor = _without_failed(descriptor, path)
                answered = _prepared(descriptor, path, resume, overwrite)
            return cls(descriptor, answered, path, block=block)
        except BaseException:
            os.close(descriptor)
            raise

    def append(self, row: bytes) -> None:
        """Write *row*, which ends with a newline. Raises OSError; the file then ends with a whole row."""
        self._gathered += row
        self.rows += 1
        if len(self._gathered) >= self._block:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        data, self._gathered = bytes(self._gathered), bytearray()
        before = os.fstat(self._descriptor).st_size if self._regular else 0
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:] if written else data)
        except OSError:
            self._cut(before, data[:written])
            self.rows -= data.count(b"\n") - data[:written].count(b"\n")
            raise

    def _cut(self, before: int, written: bytes) -> None:
        """Take back the part of a row that was still written; if that fails, too, resuming does it."""
        if self._regular:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before + written.rfind(b"\n") + 1)

    def sync(self) -> None:
        """Have what was written put on the disk, so that not even a crash of the machine takes it. Takes a while."""
        if self._regular:
            os.fsync(self._descriptor)

    @property
    def is_resumable(self) -> bool:
        """Whether a later run can go on with it."""
        return self._regular and self.name != "stdout"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is left, and close."""
        try:
            self.flush()
            self.sync()
        finally:
            os.close(self._descriptor)


def _prepared(descriptor: int, path: str, resume: bool, overwrite: bool) -> Answered:
    """What the file at *path*, open as *descriptor*, answers, once it is as it is to be appended to."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return Answered()
    _lock(descriptor, path)
    if overwrite:
        os.ftruncate(descriptor, 0)
    elif not resume and status.st_size:
        raise BatchError(f"{path} has rows already; go on with --resume, or replace it with --overwrite")
    with Path(path).open("rb") as rows:
        answered, whole = Answered.of(rows, path)
    os.ftruncate(descriptor, whole)
    return answered


def _without_failed(descriptor: int, path: str) -> int:
    """Put a file without the failed rows in the place of *descriptor*'s; gives the new one's descriptor.

    It is written beside the old one first: whenever this is killed, one of the two is whole under its name.
    """
    target = os.path.realpath(path)
    beside = Path(f"{target}.new")
    fresh = os.open(beside, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        _lock(fresh, path)
        with Path(target).open("rb") as rows, open(fresh, "wb", closefd=False) as kept:
            kept.writelines(row for row in rows if (head := head_of_a_row(row)) is not None and head[2])
        beside.chmod(stat.S_IMODE(os.fstat(descriptor).st_mode))
        os.fsync(fresh)
        beside.replace(target)
    except BaseException:
        os.close(fresh)
        raise
    os.close(descriptor)
    return fresh


def _lock(descriptor: int, path: str) -> None:
    """Keep a second batch out. The lock goes with the process, however that ends."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BatchError(f"{path}: another batch is writing to it") from None
    except OSError:  # a file system without locks
        return
