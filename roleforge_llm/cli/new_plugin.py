"""``new-plugin``: a complete distribution with a working plugin, to start from."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from string import Template

import click

from roleforge_llm.cli.options import Settings, every_command, json_option
from roleforge_llm.cli.output import print_json
from roleforge_llm.cli.scaffold import KINDS, PluginName, plugin_files, plugin_name, write_plugin
from roleforge_llm.errors import ConfigError, Fault, PluginError
from roleforge_llm.formats import SERVER
from roleforge_llm.hookspecs import OWN_COMMANDS
from roleforge_llm.host import OfferKind, PluginHost
from roleforge_llm.host.records import OWN_DISTRIBUTION

__all__ = ["new_plugin"]

_KINDS = ", ".join(f"{key} ({kind.purpose})" for key, kind in KINDS.items())
_RESERVED = {OfferKind.FORMAT: {SERVER}, OfferKind.COMMAND: OWN_COMMANDS}
"""Names that no plugin offers and that mean something all the same."""

# click keeps the lines of a paragraph that begins with \\b; a docstring with that character would be unreadable.
_HELP = """Write a new plugin to start from.

It is a complete distribution of a small plugin that works, with tests that pass. NAME is what the format, backend,
policy or command will be called. The distribution is roleforge-llm-NAME, its package roleforge_llm_NAME, and its folder
./roleforge-llm-NAME unless --directory names another.

\b
The kinds:
{kinds}

\b
For example:
  roleforge-llm new-plugin acme --kind format
  pip install -e ./roleforge-llm-acme
  roleforge-llm render --format acme --user "Hello!"
""".format(kinds="\n".join(f"  {key:<8} {kind.purpose}" for key, kind in KINDS.items()))


@click.command(help=_HELP)
@every_command
@click.argument("name")
@click.option("--kind", type=click.Choice(list(KINDS)), help="What the plugin offers.")
@click.option("--directory", metavar="DIR", help="The folder to write; it must be empty, or not there yet.")
@json_option
@click.pass_obj
def new_plugin(settings: Settings, name: str, kind: str | None, directory: str | None, *, as_json: bool) -> None:
    """Write a new plugin."""
    if kind is None:
        raise PluginError(f"say with --kind what the plugin is to be: {_KINDS}")
    made = plugin_name(name)
    _check_free(settings.host(), kind, made.name)
    target = _target(made.distribution if directory is None else directory)
    files = plugin_files(kind, made)
    write_plugin(target, files)
    if as_json:
        print_json({"name": made.name, "directory": str(target), "files": list(files)})
    else:
        _tell(made, kind, target, files)


def _check_free(host: PluginHost, kind: str, name: str) -> None:
    """Raise for a *name* that would be in conflict as soon as the plugin is installed."""
    offered = OfferKind(KINDS[kind].title)
    provider = host.provider(offered, name)
    if provider is not None or name in _RESERVED.get(offered, ()):
        owner = OWN_DISTRIBUTION if provider is None else provider.owner
        raise PluginError(f"the {offered.value} {name!r} is offered by {owner} already; choose another name")


def _target(directory: str) -> Path:
    if not directory:
        raise ConfigError([Fault("", "--directory is empty; name a folder")])
    return Path(directory).absolute()


def _tell(name: PluginName, kind: str, target: Path, files: Iterable[str]) -> None:
    """The files, and what to do next."""
    for file in files:
        click.echo(str(target / file))
    click.echo("\nnext:")
    click.echo(f'  cd {shlex.quote(str(target))} && pip install -e ".[test]"')
    click.echo("  pytest")
    click.echo(f"  {Template(KINDS[kind].example).substitute(name=name.name)}")
