"""Which installed distributions have plugins, told by their files alone.

``importlib.metadata`` tells it, too, but loads the email package to do so, an eighth of the time that a short
command takes. It is asked only where the path has more than plain folders.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from roleforge_llm.hookspecs import PROJECT
from roleforge_llm.host.isolation import PluginFault
from roleforge_llm.host.records import normalized

__all__ = ["Installed", "installed_distributions"]

_GROUP = re.compile(rf"^\s*\[\s*{PROJECT}\s*\]", re.MULTILINE)


class Installed(NamedTuple):
    """A distribution with entry points in our group, whose whole *text* is kept; *files* are those of its RECORD."""

    name: str
    version: str
    text: str
    files: tuple[Path, ...]

    def entry_points(self) -> Iterator[tuple[str, str]]:
        """(name, value) of each. Raises :class:`PluginFault` for a line that is none."""
        section = ""
        for line in map(str.strip, self.text.splitlines()):
            if line.startswith("["):
                section = line.strip("[] \t")
            elif section == PROJECT and line and not line.startswith(("#", ";")):
                name, equals, value = line.partition("=")
                if not equals:
                    raise PluginFault(f"its entry points cannot be read: {line!r} is none")
                yield name.strip(), value.strip()


def installed_distributions() -> Iterator[Installed]:
    """Every distribution that has plugins; of two with one name the first on the path, as for imports."""
    names: set[str] = set()
    for found in _in_folders() if _has_only_folders() else _as_python_finds_them():
        if (name := normalized(found.name)) not in names and _GROUP.search(found.text):
            names.add(name)
            yield found


def _has_only_folders() -> bool:
    finders = [finder for finder in sys.meta_path if hasattr(finder, "find_distributions")]
    return finders == [PathFinder] and not any(Path(entry).is_file() for entry in sys.path)


def _in_folders() -> Iterator[Installed]:
    for entry in sys.path:
        try:
            found = [item.path for item in os.scandir(entry or ".") if item.name.endswith((".dist-info", ".egg-info"))]
        except OSError:
            continue
        for folder in map(Path, found):
            if _GROUP.search(text := _read(folder / "entry_points.txt")):
                head = _read(folder / "METADATA") or _read(folder / "PKG-INFO")
                files = (line.partition(",")[0].strip('"') for line in _read(folder / "RECORD").splitlines())
                yield Installed(*_title(head, folder.stem), text, tuple(folder.parent / file for file in files))


def _as_python_finds_them() -> Iterator[Installed]:
    from importlib.metadata import distributions

    for found in distributions():
        if text := found.read_text("entry_points.txt"):
            files = tuple(Path(str(file.locate())) for file in found.files or ())
            head = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
            yield Installed(*_title(head, ""), text, files)


def _title(head: str, stem: str) -> tuple[str, str]:
    """Name and version by the metadata, or by the name of its folder where that has lost them."""
    name, _, version = stem.partition("-")
    return _field(head, "Name") or name or "unknown", _field(head, "Version") or version.partition("-")[0]


def _field(head: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(\S+)", head.partition("\n\n")[0], re.MULTILINE)
    return found[1] if found else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
