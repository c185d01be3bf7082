"""What the commands print: results to stdout, messages for people to stderr."""

from __future__ import annotations

import json
import sys

import click

from roleforge_llm.errors import AllProfilesFailed, BackendError, RoleforgeError

__all__ = ["complain", "exit_code", "print_json", "print_table", "say"]


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
    if isinstance(error, (AllProfilesFailed, BackendError)):
        return 1
    if isinstance(error, (click.ClickException, RoleforgeError)):
        return 2
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    return 130 if isinstance(error, click.Abort) else None


def complain(error: Exception) -> None:
    """Tell *error* on stderr; click's own errors come with the usage of their command."""
    if isinstance(error, (click.exceptions.Exit, click.Abort)):
        return
    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return
    say(f"error: {error}")
