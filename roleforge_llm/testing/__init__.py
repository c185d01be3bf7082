"""Kit for testing applications and plugins.

Its parts are loaded when they are first used, because pytest imports this package in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roleforge_llm.testing.faultserver import FaultServer as FaultServer
    from roleforge_llm.testing.scripted import ScriptedBackend as ScriptedBackend
    from roleforge_llm.testing.waiting import no_waiting as no_waiting

__all__ = ["FaultServer", "ScriptedBackend", "no_waiting"]

_MODULES = {"FaultServer": "faultserver", "ScriptedBackend": "scripted", "no_waiting": "waiting"}


def __getattr__(name: str) -> object:
    if (module := _MODULES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
