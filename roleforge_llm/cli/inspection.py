"""``explain``, ``plan`` and ``plugins``: what would happen, and who provides what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.conversations import conversation_from, messages_option, system_option
from roleforge_llm.cli.options import Settings, every_command, json_option
from roleforge_llm.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from roleforge_llm.host import PluginRecord

__all__ = ["explain", "plan", "plugins"]

_SLOW = 0.5
"""Seconds from which on a plugin is told to be why every command is slow."""

_profile = click.option("--profile", metavar="NAME", help="The profile to use instead of the default one.")


@click.command()
@every_command
@click.argument("text", required=False)
@messages_option
@_profile
@system_option
@json_option
@click.pass_obj
def explain(  # one parameter for each option
    settings: Settings,
    text: str | None,
    messages: str | None,
    profile: str | None,
    system: str | None,
    *,
    as_json: bool,
) -> None:
    """Show what would be sent, byte for byte.

    It is shown for TEXT, or for the messages of a file. Nothing is sent.
    """
    import json

    conversation = conversation_from(messages, system, text)
    with settings.client() as client:
        found = client.explain(conversation, profile)
    if as_json:
        print_json(found.to_dict())
        return
    fallbacks = " -> ".join(found.fallbacks) or "none"
    for label, value in (
        ("profile", found.profile),
        ("model", found.model or "(the server's own)"),
        ("backend", found.backend),
        ("server", f"{found.base_url or '(the backend knows)'}, endpoint {found.endpoint}"),
        ("format", found.format or "the server renders the messages"),
        ("policy", found.policy),
        ("at most", f"{found.plan.max_requests} requests, {found.plan.max_wait_seconds:g} s of waiting between them"),
        ("fallbacks", fallbacks),
        *(("stop", f"{json.dumps(stop.text, ensure_ascii=False)} from {stop.origin}") for stop in found.stop),
        *(("header", f"{name}: {value}") for name, value in found.headers.items()),
        *(("warning", warning) for warning in found.warnings),
    ):
        click.echo(f"{label + ':':<11}{value}")
    click.echo("body:")
    click.echo(json.dumps(found.body, ensure_ascii=False, indent=2))
    if found.prompt is not None:
        click.echo("prompt, byte for byte:")
        click.echo(found.prompt)


@click.command()
@every_command
@_profile
@json_option
@click.pass_obj
def plan(settings: Settings, profile: str | None, *, as_json: bool) -> None:
    """Show how long one call can take.

    These are the most requests, and the most seconds of waiting between them.
    """
    with settings.client() as client:
        found = client.plan(profile)
    if as_json:
        print_json(attrs.asdict(found))
        return
    head = ("PROFILE", "POLICY", "REQUESTS", "WAITING")
    steps = [(s.profile, s.policy, str(s.max_requests), f"{s.max_wait_seconds:g} s") for s in found.steps]
    print_table([head, *steps])
    click.echo(f"at most {found.max_requests} requests and {found.max_wait_seconds:g} s of waiting between them")


@click.command()
@every_command
@json_option
@click.pass_obj
def plugins(settings: Settings, *, as_json: bool) -> None:
    """List all plugins with their status.

    It works whatever is broken.
    """
    records = settings.host().records
    if as_json:
        print_json([_plain(record) for record in records])
        return
    head = ("NAME", "DISTRIBUTION", "VERSION", "STATUS", "PROVIDES")
    rows = [(r.name, r.distribution, r.version, r.status, ", ".join(r.provides)) for r in records]
    print_table([head, *rows])
    for record in records:
        if record.error:
            say(f"warning: {record.name}: {record.error}")
        if record.seconds > _SLOW:
            say(f"warning: {record.name}: loading it takes {record.seconds:.1f} s of every command")


def _plain(record: PluginRecord) -> dict[str, object]:
    plain = attrs.asdict(record)
    return plain if record.seconds > _SLOW else {name: value for name, value in plain.items() if name != "seconds"}
