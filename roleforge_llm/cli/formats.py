"""``formats`` and ``render``: prompt formats, with no configuration needed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from roleforge_llm.cli.conversations import conversation_from, messages_option, system_option
from roleforge_llm.cli.options import Settings, every_command, json_option
from roleforge_llm.cli.output import print_json, print_table, say
from roleforge_llm.errors import FormatNotFound, RoleforgeError

if TYPE_CHECKING:
    from pathlib import Path

    from roleforge_llm.guard import ForgedTurns
    from roleforge_llm.host import PluginHost

__all__ = ["formats", "render"]


@click.command()
@every_command
@json_option
@click.pass_obj
def formats(settings: Settings, *, as_json: bool) -> None:
    """List the prompt formats."""
    rows = _rows(settings)
    if as_json:
        print_json(rows)
        return
    head = ("NAME", "STOP SEQUENCES", "FROM")
    print_table([head, *((str(r["name"]), _shown(r["stop"]), f"{r['plugin']} {r['version']}".strip()) for r in rows)])


def _rows(settings: Settings) -> list[dict[str, object]]:
    """A row for every format. One that is broken only costs its own row."""
    from roleforge_llm.host.isolation import blamed

    host = settings.host()
    files = {
        file.stem: file
        for folder in settings.template_folders()
        for file in sorted(folder.glob("*.jinja"))
        if file.stem not in host.format_names()
    }
    rows: list[dict[str, object]] = []
    for name in (*host.format_names(), *files):
        try:
            with blamed(f"the prompt format {name!r} cannot be listed"):
                rows.append(_own(settings, host, name, files[name]) if name in files else _offered(host, name))
        except RoleforgeError as error:
            say(f"warning: {error}")
    return rows


def _own(settings: Settings, host: PluginHost, name: str, file: Path) -> dict[str, object]:
    from roleforge_llm.formats import find_format

    found = find_format(name, host, settings.template_folders(), strict=True).format
    return _row(name, found.stop, found.control_tokens, str(file), "")


def _offered(host: PluginHost, name: str) -> dict[str, object]:
    from roleforge_llm.host.offers import OfferKind

    found, record = host.format(name), host.provider(OfferKind.FORMAT, name)
    if found is None or record is None:
        raise FormatNotFound(f"no plugin gives the prompt format {name!r}")
    return _row(name, found.stop, found.control_tokens, record.distribution or record.name, record.version)


def _row(name: str, stop: tuple[str, ...], tokens: tuple[str, ...], plugin: str, version: str) -> dict[str, object]:
    return {"name": name, "stop": list(stop), "control_tokens": list(tokens), "plugin": plugin, "version": version}


def _shown(stop: object) -> str:
    assert isinstance(stop, list)
    return "  ".join(json.dumps(text, ensure_ascii=False)[1:-1] for text in stop)


@click.command()
@every_command
@click.option("--format", "name", metavar="NAME|PATH", required=True, help="The prompt format, by name or path.")
@messages_option
@system_option
@click.option("--user", metavar="TEXT", help="A user message to end with.")
@click.option("--assistant", metavar="TEXT", help="The beginning of the reply, for the model to continue.")
@click.option("--var", "pairs", metavar="NAME=JSON", multiple=True, help="A further variable for the template.")
@click.option(
    "--forged-turns",
    type=click.Choice(["escape", "reject"]),
    default="escape",
    show_default=True,
    help="What to do with markers of turns in what messages say.",
)
@json_option
@click.pass_obj
def render(  # noqa: PLR0917  # one parameter for each option
    settings: Settings,
    name: str,
    messages: str | None,
    system: str | None,
    user: str | None,
    assistant: str | None,
    pairs: tuple[str, ...],
    forged_turns: ForgedTurns,
    *,
    as_json: bool,
) -> None:
    """Print the exact prompt of a conversation."""
    from roleforge_llm.formats import find_format
    from roleforge_llm.messages import conversation
    from roleforge_llm.rendering import render_guarded

    checked = conversation(conversation_from(messages, system, user, assistant))
    found = find_format(name, settings.host(), settings.template_folders())
    made = render_guarded(found.format, checked, dict(map(_variable, pairs)), forged_turns=forged_turns)
    for warning in (*found.warnings, *made.warnings):
        say(f"warning: {warning}")
    if as_json:
        print_json({"format": found.format.name, "text": made.text, "stop": list(found.format.stop)})
    else:
        click.echo(made.text, nl=False)


def _variable(pair: str) -> tuple[str, object]:
    name, equals, value = pair.partition("=")
    if not equals or not name.isidentifier():
        raise click.BadParameter(f"{pair!r} is not of the form NAME=JSON", param_hint="--var")
    try:
        return name, json.loads(value)
    except ValueError:
        hint = f"the value of {name} is not JSON; text needs quotes: {name}='\"text\"'"
        raise click.BadParameter(hint, param_hint="--var") from None
