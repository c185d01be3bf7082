"""``chat``: a reply, or a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.conversations import conversation_from, messages_option, system_option
from roleforge_llm.cli.options import Settings, every_command, json_option
from roleforge_llm.cli.output import print_json, say
from roleforge_llm.cli.turns import Turns
from roleforge_llm.errors import AllProfilesFailed, BackendError

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
    """Get a reply, or hold a conversation.

    The reply is to TEXT, or to the messages of a file. Without either, every line of stdin is a turn: Ctrl-C stops
    a reply, and Ctrl-D ends the conversation. The exit code is then that of the worst turn, or 0 at a terminal.
    """
    talking = text is None and messages is None
    if talking and as_json:
        raise click.UsageError("--json needs TEXT or --messages")
    with settings.client() as client:
        if talking:
            raise click.exceptions.Exit(Turns(client, profile, conversation_from(None, system, None)).take())
        conversation = conversation_from(messages, system, text)
        asked = _Asked(client, profile, stream=not no_stream)
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


def _rows(attempts: tuple[Attempt, ...]) -> list[dict[str, object]]:
    shown = ("profile", "number", "ok", "error", "status", "waited")
    return [{name: getattr(attempt, name) for name in shown} for attempt in attempts]
