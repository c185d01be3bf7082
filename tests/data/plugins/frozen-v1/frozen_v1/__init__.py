"""FROZEN: all six hooks of version 1 of the plugin API, each with all of its arguments.

NEVER CHANGE THIS DISTRIBUTION. It stands for every plugin that somebody has published for version 1 and that nobody
will publish again. If a change to the host breaks it, the change is wrong, or it needs version 2 of the plugin API.
What came to version 1 later is not in here, and must never be needed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import click

from roleforge_llm import (
    Attempt,
    BackendSpec,
    Capabilities,
    Conversation,
    DiscoveredServer,
    Event,
    Failure,
    PolicySpec,
    Profile,
    PromptFormat,
    ServerError,
    TemplateFormat,
    hookimpl,
)

from frozen_v1.policy import Frosty

ROLEFORGE_LLM_API = ">=1,<2"


class Blocks(PromptFormat):
    name = "frozen-blocks"
    stop = ("[block]",)
    control_tokens = ("[block]",)
    reply_prefix = ""
    reply_suffix = ""
    system_turns = "any"
    bos = "server"

    def render(self, conversation: Conversation, variables=None) -> str:
        said = "".join(f"[block]{message.role}: {message.text}" for message in conversation.messages)
        return f"{said}[block]assistant: {conversation.prefill}"


@hookimpl
def roleforge_formats() -> Iterable[PromptFormat]:
    return [TemplateFormat.from_file(Path(__file__).with_name("frozen.jinja")), Blocks()]


def capabilities(profile: Profile) -> Capabilities:
    return Capabilities(endpoints={"completions"}, adds_bos=True, max_stop=None)


def discover() -> Iterable[DiscoveredServer]:
    yield DiscoveredServer("frozen", "a server in the ice", {"backend": "frozen", "template": "frozen"})


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    return [
        BackendSpec(
            "frozen",
            factory="frozen_v1.backend:Glacier",
            capabilities=capabilities,
            discover=discover,
            description="Answers from the ice.",
        )
    ]


@hookimpl
def roleforge_failure_policies() -> Iterable[PolicySpec]:
    return [PolicySpec("frozen", factory=Frosty.of, limits=lambda profile: (3, 0.0))]


@hookimpl
def roleforge_classify_error(error: Exception, attempt: Attempt) -> Failure | None:
    if type(error).__name__ != "Cracked":
        return None
    text = f"{error} on {attempt.profile}, attempt {attempt.number}"
    return Failure(error=ServerError(text, kind="cracked", status=503), retryable=True)


@hookimpl
def roleforge_event(event: Event) -> None:
    if path := os.environ.get("FROZEN_EVENTS"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{event.kind} {event.profile} {event.number}\n")


@click.command("frozen")
@click.option("--name", default="world")
def frozen(name: str) -> None:
    """Greet from the ice."""
    click.echo(f"Cold greetings, {name}!")


@hookimpl
def roleforge_commands() -> Iterable[click.Command]:
    return [frozen]
