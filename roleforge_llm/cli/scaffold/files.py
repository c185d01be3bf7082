"""What the files of a new plugin say.

They are in the folder ``files``: ``every`` holds those of all kinds, ``usage`` a part of the README for each kind, and
the others what only one kind has. ``$name`` and the like are filled in, and the folder ``package`` and the file
``name.jinja`` are renamed. Their names end in ``.txt`` there, because they are neither modules nor tests of the host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

from roleforge_llm._version import __version__
from roleforge_llm.cli.scaffold.names import PluginName
from roleforge_llm.hookspecs import API_VERSION

__all__ = ["KINDS", "Kind", "plugin_files"]

_FILES = Path(__file__).parent / "files"


class Kind(NamedTuple):
    """A kind of plugin: what the host calls it, what it is for, and a command that shows a new one."""

    title: str
    purpose: str
    example: str


KINDS: Mapping[str, Kind] = {
    "format": Kind(
        "format",
        "how a conversation becomes the prompt of a model",
        'roleforge-llm render --format $name --user "Hello!"',
    ),
    "backend": Kind("backend", "how to talk to a server in its own language", "roleforge-llm plugins"),
    "policy": Kind("failure policy", "what to do when an attempt has failed", "roleforge-llm plugins"),
    "command": Kind("command", "one more subcommand of roleforge-llm", "roleforge-llm $name --help"),
}


def plugin_files(kind: str, name: PluginName) -> dict[str, str]:
    """The text of every file of a new plugin of that *kind*, by its path in the plugin's folder."""
    values = _values(kind, name)
    values["usage"] = Template(_read(_FILES / "usage" / f"{kind}.md.txt").strip()).substitute(values)
    texts = {path: Template(text).substitute(values) for folder in ("every", kind) for path, text in _texts(folder)}
    return dict(sorted((_named(path, name), text) for path, text in texts.items()))


def _values(kind: str, name: PluginName) -> dict[str, str]:
    api = f">={API_VERSION},<{int(API_VERSION.partition('.')[0]) + 1}"
    return {**name._asdict(), "kind": KINDS[kind].title, "host": __version__, "api": api}


def _texts(folder: str) -> Iterator[tuple[str, str]]:
    for file in (_FILES / folder).rglob("*.txt"):
        yield file.relative_to(_FILES / folder).as_posix().removesuffix(".txt"), _read(file)


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _named(path: str, name: PluginName) -> str:
    return path.replace("package/", f"{name.package}/").replace("name.jinja", f"{name.name}.jinja")
