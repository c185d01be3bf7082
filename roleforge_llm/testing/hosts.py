"""A host that sees only the plugins it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roleforge_llm.backends import BackendSpec
from roleforge_llm.hookspecs import hookimpl
from roleforge_llm.host import PluginHost
from roleforge_llm.policies import PolicySpec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from roleforge_llm.formats import PromptFormat
    from roleforge_llm.host import PluginRecord

__all__ = ["offering", "plugin_host"]


def plugin_host(*plugins: object, builtin: bool = False, overridden: Collection[str] = ()) -> PluginHost:
    """A host with *plugins* (modules, or objects with hooks) and nothing else that is installed.

    *builtin* adds the built-in plugins, which a client needs for its default names; *overridden* are built-in
    names that the plugins may replace. Raises AssertionError, with the error of each, where any of the plugins is
    not loaded as it should be.
    """
    # "*" is every installed plugin but the host's own.
    host = PluginHost(entry_points=builtin, disabled=("*",) if builtin else (), plugins=plugins, overridden=overridden)
    wrong = [record for record in host.records if record.status != "loaded" and not record.distribution]
    if wrong:
        raise AssertionError("\n".join(["not every plugin could be loaded", *map(_line, wrong)]))
    return host


def _line(record: PluginRecord) -> str:
    return f"  the plugin {record.title} {record.reason}"


class _Formats:
    def __init__(self, *offered: PromptFormat) -> None:
        self.offered = offered

    @hookimpl
    def roleforge_formats(self) -> Iterable[PromptFormat]:
        return self.offered


class _Backends:
    def __init__(self, *offered: BackendSpec) -> None:
        self.offered = offered

    @hookimpl
    def roleforge_backends(self) -> Iterable[BackendSpec]:
        return self.offered


class _Policies:
    def __init__(self, *offered: PolicySpec) -> None:
        self.offered = offered

    @hookimpl
    def roleforge_failure_policies(self) -> Iterable[PolicySpec]:
        return self.offered


def offering(item: PromptFormat | BackendSpec | PolicySpec) -> object:
    """A plugin that offers *item* and nothing else."""
    if isinstance(item, BackendSpec):
        return _Backends(item)
    return _Policies(item) if isinstance(item, PolicySpec) else _Formats(item)
