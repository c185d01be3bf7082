"""What the commands print: results to stdout, messages for people to stderr."""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import json
import os
import sys
from collections.abc import Iterator
from typing import TextIO

import click

from roleforge_llm.errors import AllProfilesFailed, BackendError, RoleforgeError

__all__ = [
    "CommandFailed",
    "complain",
    "exit_code",
    "forget_stdout",
    "is_lost_output",
    "prepare_stdout",
    "print_json",
    "print_table",
    "reserve_stdout",
    "say",
]

# What writing to a full disk, a closed pipe or a terminal that is gone gives.
_LOST = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EBADF,
    errno.EPIPE,
    errno.EAGAIN,
}


class CommandFailed(RoleforgeError):
    """What a plugin did has ended a command."""


def prepare_stdout() -> None:
    """Write UTF-8 and plain newlines whatever the locale is: a prompt must come out byte for byte.

    Raises OSError where stdout is closed, before anything is asked of a server.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, "stdout is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def is_lost_output(error: Exception) -> bool:
    """Whether *error* came of writing to stdout. Errors of files have their name."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _LOST


def forget_stdout() -> None:
    """Keep the interpreter from complaining again when it flushes stdout at exit."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """A message for people."""
    click.echo(text, err=True)


class _Reserved:
    """stdout while only :func:`print_json` may write there: for all others, past sys.stdout too, it is stderr."""

    def __init__(self) -> None:
        self._stdout: TextIO | None = None
        self._descriptor: int | None = None

    def begin(self) -> None:
        if self._stdout is not None or sys.stdout is None:
            return
        self._stdout, sys.stdout = sys.stdout, sys.stderr
        # A stdout in memory has no number, and one that a plugin has closed cannot be flushed.
        with contextlib.suppress(OSError, ValueError):
            self._stdout.flush()
            number = self._stdout.fileno()
            self._descriptor = os.dup(number)
            os.dup2(2, number)

    def end(self) -> None:
        if self._stdout is None:
            return
        if self._descriptor is not None:
            os.dup2(self._descriptor, self._stdout.fileno())
            os.close(self._descriptor)
        sys.stdout, self._stdout, self._descriptor = self._stdout, None, None

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        reserved = self._stdout is not None
        self.end()
        yield
        if reserved:
            self.begin()


_reserved = _Reserved()


def reserve_stdout(context: click.Context) -> None:
    """Keep stdout for JSON while the command runs, and again while the program ends: plugins print then, too."""
    _reserved.begin()
    context.call_on_close(_reserved.end)
    # Not before: what is registered last is called first.
    context.call_on_close(lambda: atexit.register(_reserved.begin))


def print_json(value: object) -> None:
    """*value* as JSON, alone on stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    with _reserved.suspended():
        click.echo(text)


def print_table(rows: list[tuple[str, ...]]) -> None:
    """*rows* in aligned columns; the first is the head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def exit_code(error: Exception) -> int | None:
    """1 for a failed call, 2 for bad usage or configuration, None for a fault of ours."""
    if isinstance(error, (AllProfilesFailed, BackendError, CommandFailed)) or is_lost_output(error):
        return 1
    if isinstance(error, (click.ClickException, RoleforgeError)):
        return 2
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    return 130 if isinstance(error, click.Abort) else None


def complain(error: Exception) -> None:
    """Tell *error* on stderr; click's own errors come with the usage of their command."""
    if isinstance(error, click.Abort) and error.__cause__ is not None and error.__cause__.args:
        say(f"error: {error.__cause__}")  # a Ctrl-C of which the host has more to say
        return
    if isinstance(error, (click.exceptions.Exit, click.Abort, BrokenPipeError)):
        return
    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return
    say(f"error: cannot write the output: {error.strerror}" if isinstance(error, OSError) else f"error: {error}")
