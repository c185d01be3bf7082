"""The bytes of an input: a file that can be read again, or a pipe that somebody else fills."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from roleforge_llm.errors import BatchError

__all__ = ["Input"]

_PIECE = 1 << 16
_STDIN = 0


class Input:
    """An open input; a context manager. ``size`` is its bytes, None where nobody knows them before the end."""

    def __init__(self, descriptor: int, name: str) -> None:
        status = os.fstat(descriptor)
        self._descriptor = descriptor
        self._name = name
        self.size = status.st_size if stat.S_ISREG(status.st_mode) and descriptor != _STDIN else None

    @classmethod
    def open(cls, path: str) -> Input:
        """The input at *path*, "-" being stdin. Raises :class:`BatchError`."""
        try:
            if path == "-":
                return cls(_STDIN, "stdin")
            if Path(path).is_dir():
                raise BatchError(f"{path}: is a folder; name a file of rows")
            return cls(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), path)
        except OSError as error:
            raise BatchError(f"{'stdin' if path == '-' else path}: cannot be read: {error.strerror}") from None

    def is_same_file(self, path: str) -> bool:
        """Whether *path* leads to this very file."""
        try:
            own, other = os.fstat(self._descriptor), Path(path).stat()
        except OSError:
            return False
        return stat.S_ISREG(own.st_mode) and os.path.samestat(own, other)

    def pieces(self) -> Iterator[bytes]:
        """All of a file, from its beginning. Raises :class:`BatchError`."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        while piece := self._read():
            yield piece

    async def apieces(self) -> AsyncIterator[bytes]:
        """All of it, from its beginning, without ever keeping the event loop for long. Raises :class:`BatchError`."""
        if self.size is None:
            while piece := await self._read_beside():
                yield piece
            return
        for piece in self.pieces():
            yield piece
            await asyncio.sleep(0)

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _PIECE)
        except OSError as error:
            raise BatchError(f"{self._name}: cannot be read: {error.strerror}") from None

    async def _read_beside(self) -> bytes:
        """Read in a thread, which nobody waits for at the end: somebody may still be typing."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[bytes] = loop.create_future()

        def deliver(piece: bytes | BatchError) -> None:
            if arrived.done():
                return
            if isinstance(piece, BatchError):
                arrived.set_exception(piece)
            else:
                arrived.set_result(piece)

        def work() -> None:
            try:
                piece: bytes | BatchError = self._read()
            except BatchError as error:
                piece = error
            with suppress(RuntimeError):  # the loop is closed: nobody wants it any more
                loop.call_soon_threadsafe(deliver, piece)

        threading.Thread(target=work, daemon=True).start()
        return await arrived

    def close(self) -> None:
        """Close the file."""
        if self._descriptor != _STDIN:
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
