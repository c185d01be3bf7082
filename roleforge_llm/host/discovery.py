"""Finding installed plugins, without importing any of them."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from roleforge_llm.hookspecs import PROJECT
from roleforge_llm.host.isolation import PluginFault, described
from roleforge_llm.host.records import PluginRecord

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

__all__ = ["Candidate", "given_plugin", "installed_plugins"]

_GROUP = re.compile(rf"^\s*\[\s*{PROJECT}\s*\]", re.MULTILINE)
_LONGEST_SOURCE = 1_000_000


class Candidate(NamedTuple):
    """A plugin that may be loaded. *sources* gives its templates' names and the texts of its Python files."""

    record: PluginRecord
    load: Callable[[], object]
    sources: Callable[[], Iterable[tuple[str, str]]]

    def mentions(self, name: str) -> bool:
        """Whether a plugin that cannot be asked seems to offer *name*, by its files alone.

        A broken plugin cannot list what it provides; a file ``name.jinja``, or *name* in its source as a text
        or a function, is enough to blame it rather than to claim that nobody offers *name*.
        """
        function = re.escape(name.replace("-", "_"))
        used = re.compile(rf"""(['"]){re.escape(name)}\1|\bdef {function}\(""")
        try:
            return self.record.name == name or any(
                template == name or used.search(text) for template, text in self.sources()
            )
        except Exception:  # noqa: BLE001  # whatever is wrong with its files, this is only a guess
            return False


@functools.cache
def installed_plugins() -> tuple[Candidate, ...]:
    """Every plugin that is installed, the host's own first. Scanned once per process: it asks every distribution."""
    return tuple(
        sorted(_found(), key=lambda item: (not item.record.is_own, item.record.name, item.record.distribution))
    )


def given_plugin(plugin: object) -> Candidate:
    """A plugin that was given to the host as a module or an object."""
    code = plugin if isinstance(plugin, ModuleType) else type(plugin)
    name = str(getattr(plugin, "__name__", None) or code.__name__)
    return Candidate(PluginRecord(name), lambda: plugin, lambda: [("", inspect.getsource(code))])


def _found() -> Iterator[Candidate]:
    """As ``importlib.metadata`` finds them, but no distribution's unreadable file hides the plugins of others."""
    from importlib.metadata import distributions

    names: set[str] = set()
    for distribution in distributions():
        if not _GROUP.search(distribution.read_text("entry_points.txt") or ""):
            continue
        if (name := _name(distribution)) in names:
            continue  # the first on the path wins, as for imports
        names.add(name)
        try:
            yield from map(_candidate, distribution.entry_points.select(group=PROJECT))
        except Exception as error:  # noqa: BLE001  # whatever is wrong with a plugin's files
            yield _unreadable(distribution, f"its entry points cannot be read: {described(error)}")


def _candidate(point: EntryPoint) -> Candidate:
    name, version = (_name(point.dist), _version(point.dist)) if point.dist else ("", "")
    return Candidate(PluginRecord(point.name, name, version), point.load, functools.partial(_sources, point))


def _unreadable(distribution: Distribution, fault: str) -> Candidate:
    def load() -> object:
        raise PluginFault(fault)

    name = _name(distribution)
    return Candidate(PluginRecord(name, name, _version(distribution)), load, tuple)


def _name(distribution: Distribution) -> str:
    return distribution.metadata["Name"] or ""


def _version(distribution: Distribution) -> str:
    return distribution.metadata["Version"] or ""


def _sources(point: EntryPoint) -> Iterator[tuple[str, str]]:
    for path in _files(point):
        if path.suffix == ".jinja":
            yield path.stem, ""
        elif path.suffix == ".py":
            yield "", _text(path)


def _files(point: EntryPoint) -> Iterable[Path]:
    listed = point.dist.files if point.dist else None
    paths = [Path(str(file.locate())) for file in listed or ()]
    if any(path.suffix == ".py" and path.exists() for path in paths):
        return paths
    return _files_of_package(point.value.partition(":")[0].partition(".")[0].strip())


def _files_of_package(package: str) -> Iterable[Path]:
    """The files of an editable install, which its distribution does not list. Imports nothing."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return ()
    if spec.submodule_search_locations is None:
        return (Path(spec.origin),) if spec.origin else ()
    return [path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.*")]


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_SOURCE)
    except OSError:
        return ""
