"""Kit for testing applications and plugins.

Its parts are loaded when they are first used, because pytest imports this package in every run.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roleforge_llm.testing.backends import assert_backend_conforms as assert_backend_conforms
    from roleforge_llm.testing.calls import Answers as Answers
    from roleforge_llm.testing.conformance import Broken as Broken
    from roleforge_llm.testing.conformance import DoesNotConform as DoesNotConform
    from roleforge_llm.testing.faultserver import FaultServer as FaultServer
    from roleforge_llm.testing.faultserver import Session as Session
    from roleforge_llm.testing.formats import assert_format_conforms as assert_format_conforms
    from roleforge_llm.testing.hosts import plugin_host as plugin_host
    from roleforge_llm.testing.policies import assert_policy_conforms as assert_policy_conforms
    from roleforge_llm.testing.scripted import ScriptedBackend as ScriptedBackend
    from roleforge_llm.testing.scripted import Step as Step
    from roleforge_llm.testing.waiting import no_waiting as no_waiting
    from roleforge_llm.testing.wire import Cut as Cut
    from roleforge_llm.testing.wire import Pause as Pause
    from roleforge_llm.testing.wire import Received as Received
    from roleforge_llm.testing.wire import Reply as Reply
    from roleforge_llm.testing.wire import Stream as Stream

__all__ = [
    "Answers",
    "Broken",
    "Cut",
    "DoesNotConform",
    "FaultServer",
    "Pause",
    "Received",
    "Reply",
    "ScriptedBackend",
    "Session",
    "Step",
    "Stream",
    "assert_backend_conforms",
    "assert_format_conforms",
    "assert_policy_conforms",
    "no_waiting",
    "plugin_host",
]

_HOME = {
    "backends": "assert_backend_conforms",
    "calls": "Answers",
    "conformance": "Broken DoesNotConform",
    "faultserver": "FaultServer Session",
    "formats": "assert_format_conforms",
    "hosts": "plugin_host",
    "policies": "assert_policy_conforms",
    "scripted": "ScriptedBackend Step",
    "waiting": "no_waiting",
    "wire": "Cut Pause Received Reply Stream",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if (module := _MODULES.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
