"""What the commands print: results to stdout, messages for people to stderr."""

from __future__ import annotations

import errno
import io
import json
import os
import sys

import click

from roleforge_llm.errors import AllProfilesFailed, BackendError, RoleforgeError

__all__ = [
    "complain",
    "exit_code",
    "forget_stdout",
    "is_lost_output",
    "prepare_stdout",
    "print_json",
    "print_table",
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


def print_json(value: object) -> None:
    """*value* as JSON, alone on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(rows: list[tuple[str, ...]]) -> None:
    """*rows* in aligned columns; the first is the head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def exit_code(error: Exception) -> int | None:
    """1 for a failed call, 2 for bad usage or configuration, None for a fault of ours."""
    if isinstance(error, (AllProfilesFailed, BackendError)) or is_lost_output(error):
        return 1
    if isinstance(error, (click.ClickException, RoleforgeError)):
        return 2
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    return 130 if isinstance(error, click.Abort) else None


def complain(error: Exception) -> None:
    """Tell *error* on stderr; click's own errors come with the usage of their command."""
    if isinstance(error, (click.exceptions.Exit, click.Abort, BrokenPipeError)):
        return
    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return
    say(f"error: cannot write the output: {error.strerror}" if isinstance(error, OSError) else f"error: {error}")
