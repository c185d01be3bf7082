"""The first configuration file, that ``init`` writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from roleforge_llm.errors import ConfigError, Fault

if TYPE_CHECKING:
    from roleforge_llm.backends import DiscoveredServer

__all__ = ["SUFFIXES", "first_file", "write_first"]

SUFFIXES = (".toml", ".json")

_EXAMPLE: dict[str, object] = {"base_url": "http://localhost:5001/v1", "template": "chatml"}


def first_file(servers: Iterable[DiscoveredServer], suffix: str = ".toml") -> str:
    """The text of a first configuration: the first server is the default, the others are its fallbacks."""
    profiles = {name: _plain(settings) for name, settings in _named(servers)} or {"local": _EXAMPLE}
    first, *others = profiles
    if others:
        profiles[first] = {**profiles[first], "fallback_profiles": others}
    if suffix.lower() == ".json":
        return json.dumps({"default_profile": first, "profiles": profiles}, indent=2) + "\n"
    return "\n".join(_toml_lines(first, profiles)) + "\n"


def _named(servers: Iterable[DiscoveredServer]) -> Iterator[tuple[str, Mapping[str, object]]]:
    taken: dict[str, int] = {}
    for server in servers:
        taken[server.name] = taken.get(server.name, 0) + 1
        count = taken[server.name]
        yield (server.name if count == 1 else f"{server.name}-{count}"), server.settings


def _plain(settings: Mapping[str, object]) -> dict[str, object]:
    return {key: _escaped(value) for key, value in settings.items() if value is not None}


def _escaped(value: object) -> object:
    """*value* with every dollar doubled: what a server says of itself must not read the environment."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _escaped(inner) for key, inner in value.items()}
    return list(map(_escaped, value)) if isinstance(value, (list, tuple)) else value


def _toml_lines(first: str, profiles: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    yield "# Profiles are tried in the order of fallback_profiles. All keys: docs/CONFIGURATION.md"
    yield f"default_profile = {_toml(first)}"
    for name, settings in profiles.items():
        yield from ("", f"[profiles.{json.dumps(name)}]")
        yield from (f"{key} = {_toml(value)}" for key, value in settings.items())


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def write_first(target: Path, text: str) -> None:
    """Write all of *text*, if it loads, or nothing; readable by the user alone, since keys may be added to the file.

    Raises :class:`ConfigError`.
    """
    unfinished = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(unfinished, text)
        _check(unfinished, target)
        unfinished.replace(target)
    except OSError as error:
        raise ConfigError([Fault("", f"cannot be written: {error.strerror}")], str(target)) from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _check(path: Path, target: Path) -> None:
    from roleforge_llm.config import load_config

    try:
        load_config(path)
    except ConfigError as error:
        raise ConfigError(error.faults, str(target)) from None
