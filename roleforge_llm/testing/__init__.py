"""Kit for testing applications and plugins.

Its parts are loaded when they are first used, because pytest imports this package in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roleforge_llm.testing.faultserver import FaultServer as FaultServer
    from roleforge_llm.testing.faultserver import Session as Session
    from roleforge_llm.testing.scripted import ScriptedBackend as ScriptedBackend
    from roleforge_llm.testing.scripted import Step as Step
    from roleforge_llm.testing.waiting import no_waiting as no_waiting
    from roleforge_llm.testing.wire import Cut as Cut
    from roleforge_llm.testing.wire import Pause as Pause
    from roleforge_llm.testing.wire import Received as Received
    from roleforge_llm.testing.wire import Reply as Reply
    from roleforge_llm.testing.wire import Stream as Stream

__all__ = [
    "Cut",
    "FaultServer",
    "Pause",
    "Received",
    "Reply",
    "ScriptedBackend",
    "Session",
    "Step",
    "Stream",
    "no_waiting",
]

_HOME = {
    "faultserver": "FaultServer Session",
    "scripted": "ScriptedBackend Step",
    "waiting": "no_waiting",
    "wire": "Cut Pause Received Reply Stream",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if (module := _MODULES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
