"""``config check|show|path`` and ``init``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from roleforge_llm.cli.options import Settings, every_command, json_option
from roleforge_llm.cli.output import print_json, say
from roleforge_llm.errors import ConfigError, Fault
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
    """Print the path of the configuration file that is used."""
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
    """Check the whole configuration: every profile, its backend, prompt format, failure policy and variables."""
    from roleforge_llm.client.core import Core

    found = settings.read_config()
    faults = [fault for faults in Core(found, None).check().values() for fault in faults]
    if faults:
        raise ConfigError(faults, str(found.source or ""))
    click.echo(f"{found.source}: ok, {len(found.profiles)} profile(s), default {found.default_profile}")


@config.command()
@every_command
@json_option
@click.pass_obj
def show(settings: Settings, *, as_json: bool) -> None:
    """Show the configuration as it is understood, with all defaults; secrets are masked."""
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
    """Look for model servers on this machine and write a first configuration for them."""
    from roleforge_llm.config import default_config_path, load_config

    target = Path(settings.config) if settings.config else default_config_path()
    if target.exists() and not force:
        raise ConfigError([Fault("", "is there already; edit it, or replace it with --force")], str(target))
    say("looking for model servers on this machine ...")
    servers = _discovered(settings.host())
    for server in servers:
        say(f"found {server.description}")
    _write(target, _first_file(servers))
    load_config(target)
    click.echo(str(target))
    if not servers:
        say("found none; the file holds an example: edit its baseURL")
    say('next: roleforge-llm chat "Hello"')


def _discovered(host: PluginHost) -> list[DiscoveredServer]:
    """What every backend's discover() finds. One that fails only costs its own servers."""
    found: list[DiscoveredServer] = []
    for name in host.backend_names():
        discover = host.backend(name).discover
        try:
            found += list(discover()) if discover is not None else []
        except Exception as error:  # noqa: BLE001  # a plugin's own fault
            say(f"warning: the backend {name} could not look for servers: {type(error).__name__}: {error}")
    return found


_EXAMPLE: dict[str, object] = {"base_url": "http://localhost:5001/v1", "template": "chatml"}


def _first_file(servers: list[DiscoveredServer]) -> str:
    """The text of a first configuration: the first server is the default, the others are its fallbacks."""
    profiles = dict(_named(servers)) or {"local": _EXAMPLE}
    first, *others = profiles
    lines = [
        "# Profiles are tried in the order of fallback_profiles. All keys: docs/CONFIGURATION.md",
        f"default_profile = {json.dumps(first)}",
    ]
    for name, settings in profiles.items():
        lines += ["", f"[profiles.{json.dumps(name)}]"]
        lines += [f"{key} = {_toml(value)}" for key, value in settings.items() if value is not None]
        if name == first and others:
            lines.append(f"fallback_profiles = {json.dumps(others)}")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """*value* in TOML. A dollar is doubled: what a server says of itself must not read the environment."""
    if isinstance(value, str):
        return json.dumps(value.replace("$", "$$"))
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def _named(servers: Iterable[DiscoveredServer]) -> Iterator[tuple[str, Mapping[str, object]]]:
    taken: dict[str, int] = {}
    for server in servers:
        taken[server.name] = taken.get(server.name, 0) + 1
        count = taken[server.name]
        yield (server.name if count == 1 else f"{server.name}-{count}"), server.settings


def _write(target: Path, text: str) -> None:
    """Write all of *text* or nothing, readable by the user alone, since keys may be added to the file."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise ConfigError([Fault("", f"cannot be written: {error.strerror}")], str(target)) from None
    finally:
        unfinished.unlink(missing_ok=True)
