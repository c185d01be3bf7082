"""``config check|show|path`` and ``init``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.first_file import SUFFIXES, first_file, write_first
from roleforge_llm.cli.options import Settings, every_command, json_option
from roleforge_llm.cli.output import print_json, say
from roleforge_llm.errors import ConfigError, Fault, RoleforgeError
from roleforge_llm.host.isolation import blamed
from roleforge_llm.profiles import Profile, Secret, shown_url

if TYPE_CHECKING:
    from roleforge_llm.backends import DiscoveredServer
    from roleforge_llm.host import PluginHost

__all__ = ["config", "init"]


@click.group()
@every_command
def config() -> None:
    """Look at the configuration and check it."""


@config.command()
@every_command
@click.pass_obj
def path(settings: Settings) -> None:
    """Print the path of the file that is used."""
    from roleforge_llm.config import default_config_path, find_config

    found = find_config(settings.config)
    if found is None:
        raise ConfigError(
            [Fault("", f"no configuration found; `roleforge-llm init` would write {default_config_path()}")]
        )
    click.echo(str(found))


@config.command()
@every_command
@click.pass_obj
def check(settings: Settings) -> None:
    """Check the whole configuration.

    These are every profile, its backend, prompt format, failure policy and variables.
    """
    from roleforge_llm.client.core import Core

    found = settings.read_config()
    core = Core(found, None)
    core.host.check_overridden()
    faults = [fault for faults in core.check().values() for fault in faults]
    if faults:
        raise ConfigError(faults, str(found.source or ""))
    click.echo(f"{found.source}: ok, {len(found.profiles)} profile(s), default {found.default_profile}")


@config.command()
@every_command
@json_option
@click.pass_obj
def show(settings: Settings, *, as_json: bool) -> None:
    """Show the configuration as it is understood.

    All defaults are in it; secrets are masked.
    """
    found = settings.read_config()
    data: dict[str, object] = {
        "source": str(found.source),
        "default_profile": found.default_profile,
        "strict_templates": found.strict_templates,
        "plugins": attrs.asdict(found.plugins),
        "profiles": {name: _shown(profile) for name, profile in found.profiles.items()},
    }
    if as_json:
        print_json(data)
        return
    click.echo("\n".join(_lines("", data)))


def _shown(profile: Profile) -> dict[str, object]:
    def masked(_: type, __: object, value: object) -> object:
        return str(value) if isinstance(value, Secret) else value

    return attrs.asdict(profile, value_serializer=masked) | {"base_url": shown_url(profile.base_url)}


def _lines(prefix: str, value: object) -> Iterator[str]:
    """Dotted keys with their values, for reading."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _lines(f"{prefix}.{key}" if prefix else str(key), inner)
    elif value not in (None, (), [], {}):
        yield f"{prefix} = {json.dumps(value, ensure_ascii=False)}"


@click.command()
@every_command
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.pass_obj
def init(settings: Settings, *, force: bool) -> None:
    """Write a first configuration.

    It is for the model servers that are found on this machine. FILE of --config is written instead of the user's own
    configuration: TOML or JSON, as its ending says.
    """
    from roleforge_llm.config import default_config_path

    target = Path(settings.config) if settings.config else default_config_path()
    if target.suffix.lower() not in SUFFIXES:
        raise ConfigError([Fault("", "the name of a configuration file must end in .toml or .json")], str(target))
    there = os.path.exists(target)  # noqa: PTH110  # Path.exists raises where a folder may not be entered
    if there and not force:
        raise ConfigError([Fault("", "is there already; edit it, or replace it with --force")], str(target))
    say("looking for model servers on this machine ...")
    host = settings.host() if there else Settings().host()
    servers = _discovered(host)
    for server in servers:
        say(f"found {server.description}")
    write_first(target, first_file(servers, target.suffix))
    click.echo(str(target))
    if servers:
        say('next: roleforge-llm chat "Hello"')
    else:
        say("found none; the file holds an example: start a server, and set the example's base_url to its URL")
        _tell_backends(host)


def _discovered(host: PluginHost) -> list[DiscoveredServer]:
    """What every backend's discover() finds. One that fails only costs its own servers."""
    found: list[DiscoveredServer] = []
    for name in host.backend_names():
        discover = host.backend(name).discover
        try:
            with blamed(f"the backend {name} could not look for servers"):
                found += list(map(_server, discover())) if discover is not None else []
        except RoleforgeError as error:
            say(f"warning: {error}")
    return found


def _tell_backends(host: PluginHost) -> None:
    say("backends that a profile can name:")
    for name in host.backend_names():
        description = host.backend(name).description
        say(f"  {name}: {description}" if description else f"  {name}")


def _server(found: DiscoveredServer) -> DiscoveredServer:
    """*found*, if it can be written. A plugin need not keep to the types."""
    if not isinstance(found.name, str) or not found.name:
        raise TypeError(f"a server that it found has the name {found.name!r:.60}")
    json.dumps(dict(found.settings))
    return found
