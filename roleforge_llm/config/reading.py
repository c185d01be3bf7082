"""Reading a configuration file: bytes in, a table of plain values out, nothing of it checked yet."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from roleforge_llm.config.wording import joined, kind_of, shown
from roleforge_llm.errors import ConfigError, Fault

__all__ = ["FOREIGN_SECTIONS", "read_table"]

_MAX_BYTES = 1 << 20

FOREIGN_SECTIONS = frozenset({"agents", "features", "comfyui", "debug", "vector"})
"""Sections of a RoleForge application's configuration, left alone whatever is in them."""

_MAX_KEY_PARTS = 16
# Every dotted key of TOML, wherever it stands. Possessive throughout: it is there to be fast on hostile text.
_DOTTED = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)++""", flags=re.ASCII)


def read_table(path: Path) -> Mapping[str, object]:
    """The content of the TOML or JSON file *path*. Raises :class:`~roleforge_llm.ConfigError` with line and column."""
    parse = _parser_for(path)
    text = _text(_content(path), path)
    try:
        data = parse(text)
    except RecursionError:
        raise _refused(path, "is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise _refused(path, f"line {error.lineno}, column {error.colno}: is not JSON: {error.msg}") from None
    except _NotTomlError as error:
        raise _refused(path, str(error)) from None
    except _DoubledKeysError as error:
        raise ConfigError(error.faults, str(path)) from None
    except ValueError as error:  # an integer of thousands of digits
        raise _refused(path, f"cannot be read: {str(error).split(';')[0]}") from None
    if not isinstance(data, Mapping):
        raise _refused(path, f"must hold a table (an object) at its top level, not {kind_of(data)}")
    return data


def _refused(path: Path, message: str) -> ConfigError:
    return ConfigError([Fault("", message)], str(path))


def _parser_for(path: Path) -> Callable[[str], object]:
    suffix = path.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        raise _refused(path, "YAML is not supported; write the same settings as TOML (.toml) or JSON (.json)")
    if suffix not in {".toml", ".json"}:
        raise _refused(path, "the name of a configuration file must end in .toml or .json")
    return _parse_toml if suffix == ".toml" else _parse_json


def _content(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _refused(path, "is not a regular file")
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    if len(content) > _MAX_BYTES:
        raise _refused(path, "is larger than 1 MiB")
    return content


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise _refused(path, f"line {line}, column {column}: is not UTF-8 text") from None


def _parse_toml(text: str) -> object:
    import tomllib

    for keys in _DOTTED.finditer(text):  # tomllib's time grows with the square of a key's parts
        if keys[0].count(".") > _MAX_KEY_PARTS:
            line = text.count("\n", 0, keys.start()) + 1
            raise _NotTomlError(f"line {line}: is not TOML: A dotted key of more than {_MAX_KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, where = str(error).rpartition(" (at ")
        raise _NotTomlError(
            f"{where.rstrip(')')}: is not TOML: {message}" if message else f"is not TOML: {error}"
        ) from None


class _NotTomlError(Exception):
    """The text is no TOML, told with its line and column."""


class _DoubledKeysError(Exception):
    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults


def _parse_json(text: str) -> object:
    doubled: list[tuple[object, str]] = []

    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            doubled.extend((found, key) for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return found

    data = json.loads(text, object_pairs_hook=table)
    if doubled and (faults := _doubled_faults(data, doubled)):
        raise _DoubledKeysError(faults)
    return data


def _doubled_faults(data: object, doubled: list[tuple[object, str]]) -> list[Fault]:
    paths = _paths_of_tables(data)
    return [
        Fault(paths[id(table)], f"the key {shown(key)} stands there twice; keep one")
        for table, key in doubled
        if id(table) in paths
    ]


def _paths_of_tables(data: object) -> dict[int, str]:
    """The dotted path of every table of *data* that is ours, by identity."""
    paths: dict[int, str] = {}
    todo = [("", data)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            paths[id(value)] = path
            todo.extend((joined(path, key), item) for key, item in value.items() if path or key not in FOREIGN_SECTIONS)
        elif isinstance(value, list):
            todo.extend((f"{path}[{index}]", item) for index, item in enumerate(value))
    return paths
