"""``chat``: a reply, or a conversation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.conversations import conversation_from, messages_option, system_option
from roleforge_llm.cli.options import Settings, every_command, json_option, tell_failures
from roleforge_llm.cli.output import print_json, say
from roleforge_llm.errors import AllProfilesFailed, BackendError, RoleforgeError

if TYPE_CHECKING:
    from roleforge_llm.attempts import Attempt
    from roleforge_llm.backends import Completion
    from roleforge_llm.client import Client

__all__ = ["chat"]


@click.command()
@every_command
@click.argument("text", required=False)
@messages_option
@click.option("--profile", metavar="NAME", help="The profile to use instead of the default one.")
@system_option
@click.option("--no-stream", is_flag=True, help="Wait for the whole reply instead of showing it as it comes.")
@json_option
@click.pass_obj
def chat(  # one parameter for each option
    settings: Settings,
    text: str | None,
    messages: str | None,
    profile: str | None,
    system: str | None,
    *,
    no_stream: bool,
    as_json: bool,
) -> None:
    """Get the reply to TEXT, or to the messages of a file; without either, hold a conversation.

    In a conversation, Ctrl-C stops a reply, and Ctrl-D ends the conversation.
    """
    tell_failures()
    with settings.client() as client:
        asked = _Asked(client, profile, stream=not no_stream and not as_json)
        if text is None and messages is None:
            asked.converse(system)
            return
        conversation = conversation_from(messages, system, text)
        if as_json:
            asked.answer_as_json(conversation)
        else:
            asked.answer(conversation)


@attrs.frozen
class _Asked:
    """What was asked for: from which client, which profile, and how."""

    client: Client
    profile: str | None
    stream: bool

    def answer_as_json(self, conversation: list[dict[str, object]]) -> None:
        """Print the reply, or what failed, as one JSON object."""
        try:
            completion = self.client.complete(conversation, self.profile)
        except (AllProfilesFailed, BackendError) as error:
            print_json({"error": str(error), "text": error.partial, "attempts": _rows(error.attempts)})
            raise
        shown = ("text", "finish_reason", "profile", "model", "format", "warnings")
        print_json({name: getattr(completion, name) for name in shown} | {"attempts": _rows(completion.attempts)})

    def answer(self, conversation: list[dict[str, object]]) -> str:
        """Print the reply as it comes, and say how it ended where that matters."""
        completion = self._streamed(conversation) if self.stream else self._whole(conversation)
        click.echo()
        for warning in completion.warnings:
            say(f"warning: {warning}")
        if completion.finish_reason == "length":
            say("(the reply was cut off at the limit of tokens)")
        return completion.text

    def _whole(self, conversation: list[dict[str, object]]) -> Completion:
        completion = self.client.complete(conversation, self.profile)
        click.echo(completion.text, nl=False)
        return completion

    def _streamed(self, conversation: list[dict[str, object]]) -> Completion:
        with self.client.stream(conversation, self.profile) as stream:
            for piece in stream:
                click.echo(piece, nl=False)
            return stream.completion

    def converse(self, system: str | None) -> None:
        """Take turns with the person at the terminal until they leave."""
        history = conversation_from(None, system, None)
        while (line := _next_line()) is not None:
            if not line.strip():
                continue
            history.append({"role": "user", "content": line})
            reply = self._turn(history)
            if reply:
                history.append({"role": "assistant", "content": reply})
            else:
                history.pop()

    def _turn(self, history: list[dict[str, object]]) -> str:
        """One reply; a failure or Ctrl-C ends only this turn. Gives what was received of it."""
        received: list[str] = []
        try:
            with self.client.stream(history, self.profile) as stream:
                for piece in stream:
                    received.append(piece)
                    click.echo(piece, nl=False)
            click.echo()
        except KeyboardInterrupt:
            click.echo()
            say("(stopped)")
        except RoleforgeError as error:
            click.echo()
            say(f"error: {error}")
        return "".join(received)


def _next_line() -> str | None:
    """What the person types; None when they leave."""
    if sys.stdin.isatty():
        click.echo("you> ", nl=False, err=True)
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def _rows(attempts: tuple[Attempt, ...]) -> list[dict[str, object]]:
    shown = ("profile", "number", "ok", "error", "status", "waited")
    return [{name: getattr(attempt, name) for name in shown} for attempt in attempts]
