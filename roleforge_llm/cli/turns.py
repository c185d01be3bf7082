"""A conversation, turn by turn, with a person at the terminal or with the lines of a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.conversations import stdin
from roleforge_llm.cli.output import exit_code, say
from roleforge_llm.errors import MessageError, RoleforgeError

if TYPE_CHECKING:
    from roleforge_llm.client import Client

__all__ = ["Turns"]


@attrs.define
class Turns:
    """The turns of one conversation; *history* holds its messages so far."""

    client: Client
    profile: str | None
    history: list[dict[str, object]]
    _worst: int = attrs.field(default=0, init=False)

    def take(self) -> int:
        """Answer every line of stdin. Gives the exit code of the worst turn; a person at a terminal has seen it: 0."""
        for line in _lines():
            try:
                self._take(_text(line))
            except RoleforgeError as error:
                say(f"error: {error}")
                self._worst = max(self._worst, exit_code(error) or 0)
        return 0 if sys.stdin.isatty() else self._worst

    def _take(self, text: str) -> None:
        """Answer *text*. The turn is remembered with what was received of its reply, and forgotten if that is none."""
        if not text.strip():
            return
        self.history.append({"role": "user", "content": text})
        received: list[str] = []
        try:
            self._reply(received)
        finally:
            if received:
                self.history.append({"role": "assistant", "content": "".join(received)})
            else:
                self.history.pop()

    def _reply(self, received: list[str]) -> None:
        try:
            with self.client.stream(self.history, self.profile) as stream:
                for piece in stream:
                    received.append(piece)
                    click.echo(piece, nl=False)
        except KeyboardInterrupt:
            click.echo()
            say("(stopped)")
        except RoleforgeError:
            if received:
                click.echo()
            raise
        else:
            click.echo()


def _lines() -> Iterator[bytes]:
    source, asking = stdin(), sys.stdin.isatty()
    while True:
        if asking:
            click.echo("you> ", nl=False, err=True)
        try:
            line = source.readline()
        except OSError as error:
            raise MessageError(f"cannot read stdin: {error.strerror}") from None
        if not line:
            return
        yield line.rstrip(b"\r\n")


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MessageError(f"the line is not UTF-8: byte {error.start}") from None
