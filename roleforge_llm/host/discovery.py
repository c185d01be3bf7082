"""Finding installed plugins, without importing any of them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from roleforge_llm.host.installed import Installed, installed_distributions
from roleforge_llm.host.isolation import PluginFault, class_name
from roleforge_llm.host.records import PluginRecord
from roleforge_llm.host.versions import STATEMENT

__all__ = ["Candidate", "given_plugin", "installed_plugins", "plugin_of"]

_LONGEST_SOURCE = 1_000_000


class Candidate(NamedTuple):
    """A plugin that may be loaded. *sources* gives its templates' names and the texts of its Python files.

    *module* is the module that an installed plugin's entry point names.
    """

    record: PluginRecord
    load: Callable[[], object]
    sources: Callable[[], Iterable[tuple[str, str]]]
    module: str = ""

    @property
    def package(self) -> str:
        """The package, or the module outside of any, in which an installed plugin stands."""
        return self.module.partition(".")[0]

    def states(self) -> str | None:
        """The version of the plugin API that its source asks for, of a plugin that could not be imported."""
        stated = re.compile(rf"""^{STATEMENT}\b[^=\n]*=\s*(['"])([^'"\n]*)\1""", re.MULTILINE)
        try:
            return next((found[2] for _, text in self.sources() if (found := stated.search(text))), None)
        except Exception:  # noqa: BLE001  # whatever is wrong with its files, that is told already
            return None

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


def plugin_of(item: object) -> str | None:
    """Name, distribution and version of the installed plugin in whose code the class of *item* stands, or None."""
    package = type(item).__module__.partition(".")[0]
    return next((found.record.title for found in installed_plugins() if found.package == package), None)


def given_plugin(plugin: object) -> Candidate:
    """A plugin that was given to the host as a module or an object."""
    code = plugin if isinstance(plugin, (ModuleType, type)) else type(plugin)
    name = class_name(code) if isinstance(code, type) else code.__name__
    return Candidate(PluginRecord(name), lambda: plugin, lambda: [("", inspect.getsource(code))])


def _found() -> Iterator[Candidate]:
    for distribution in installed_distributions():
        try:
            yield from [_candidate(distribution, name, value) for name, value in distribution.entry_points()]
        except PluginFault as fault:
            yield Candidate(_record(distribution, distribution.name), functools.partial(_raise, fault), tuple)


def _candidate(distribution: Installed, name: str, value: str) -> Candidate:
    """The plugin of the entry point ``name = package.module:attribute``."""
    module, _, attributes = (part.strip() for part in value.partition("[")[0].partition(":"))

    def load() -> object:
        return functools.reduce(getattr, filter(None, attributes.split(".")), importlib.import_module(module))

    sources = functools.partial(_sources, distribution, module)
    return Candidate(_record(distribution, name), load, sources, module)


def _record(distribution: Installed, name: str) -> PluginRecord:
    return PluginRecord(name, distribution.name, distribution.version)


def _raise(fault: PluginFault) -> object:
    raise fault


def _sources(distribution: Installed, module: str) -> Iterator[tuple[str, str]]:
    listed = any(path.suffix == ".py" and path.exists() for path in distribution.files)
    for path in distribution.files if listed else _files_of_package(module.partition(".")[0]):
        if path.suffix == ".jinja":
            yield path.stem, ""
        elif path.suffix == ".py":
            yield "", _text(path)


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
