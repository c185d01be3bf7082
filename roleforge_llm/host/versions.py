"""Which version of the plugin API a plugin asks for, and whether this host has it."""

from __future__ import annotations

import re
from operator import eq, ge, gt, le, lt, ne

from roleforge_llm import hookspecs
from roleforge_llm.host.isolation import PluginFault

__all__ = ["STATEMENT", "check_api", "explained"]

_CLAUSE = re.compile(r"(>=|<=|==|!=|>|<)\s*(\d+)")
_CLAUSES = re.compile(rf"\s*{_CLAUSE.pattern}\s*(?:,\s*{_CLAUSE.pattern}\s*)*")
_COMPARED = {">=": ge, "<=": le, "==": eq, "!=": ne, ">": gt, "<": lt}
# Such a statement is compared here: to load the library for all others takes longer than to find all plugins.

STATEMENT = "ROLEFORGE_LLM_API"
"""The variable of a plugin that says which versions it is written for."""


def check_api(plugin: object) -> None:
    """Raise :class:`PluginFault` if the plugin asks for another version of the plugin API than this host's."""
    demanded = getattr(plugin, STATEMENT, None)
    if demanded is not None and not _fits(demanded):
        raise _refusal(demanded)


def explained(fault: PluginFault, stated: str | None) -> PluginFault:
    """What kept a plugin from being loaded, given the version that its source states.

    One for a newer host fails for want of what is new there, before it can be asked for its version.
    """
    try:
        if fault.status != "failed" or stated is None or _fits(stated):
            return fault
    except PluginFault:
        return fault
    return PluginFault(f"{_refusal(stated)}; {fault}", "incompatible")


def _fits(demanded: object) -> bool:
    try:
        if isinstance(demanded, str):
            return _compared(demanded)
    except ValueError:  # no specifier, or one with a number of thousands of digits
        pass
    raise PluginFault(f"{STATEMENT} = {demanded!r:.60} is no version specifier such as '>=1,<2'")


def _compared(demanded: str) -> bool:
    if clauses := _CLAUSES.fullmatch(demanded):
        return all(
            _COMPARED[sign](int(hookspecs.API_VERSION), int(number)) for sign, number in _CLAUSE.findall(clauses[0])
        )
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(demanded).contains(hookspecs.API_VERSION)


def _refusal(demanded: object) -> PluginFault:
    advice = "install versions of it and of roleforge-llm that fit"
    reason = f"it asks for plugin API {demanded}, this host has {hookspecs.API_VERSION}; {advice}"
    return PluginFault(reason, "incompatible")
