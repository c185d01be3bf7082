"""Every hook that a plugin can implement.

A plugin is a module (or any object) with functions of these names, marked with :data:`hookimpl` and found
through the entry-point group ``roleforge_llm``::

    from roleforge_llm import TemplateFormat, hookimpl

    @hookimpl
    def roleforge_formats():
        return [TemplateFormat.from_text("mine", "...")]

Hooks return data, are plain (not async) functions, and take their arguments by the names given here,
without defaults. A hook that raises is recorded against its plugin and never stops the others.
"""

# Not under TYPE_CHECKING only: pluggy reads the names of the arguments, never their annotations.
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from roleforge_llm.attempts import Attempt, Event, Failure
    from roleforge_llm.backends import BackendSpec
    from roleforge_llm.formats import PromptFormat
    from roleforge_llm.hooktypes import Marker
    from roleforge_llm.policies import DerivedPolicySpec, PolicySpec

__all__ = ["API_VERSION", "OWN_COMMANDS", "PROJECT", "hookimpl"]

PROJECT = "roleforge_llm"
"""The pluggy project name and the entry-point group."""

API_VERSION = "1"
"""The version of this plugin API, which a plugin may restrict with ``ROLEFORGE_LLM_API = ">=1,<2"``."""

OWN_COMMANDS = frozenset(
    {"batch", "chat", "check-format", "config", "explain", "formats", "init", "new-plugin", "plan", "plugins", "render"}
)
"""The host's own subcommands, which no plugin can replace."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl: Marker = pluggy.HookimplMarker(PROJECT)  # a narrower view: hooks cannot be wrapped
"""Marks a function of a plugin, under the name of a hook, as its implementation of that hook."""


@hookspec
def roleforge_formats() -> Iterable[PromptFormat]:  # type: ignore[empty-body]  # a specification
    """The prompt formats that this plugin offers, called once per host.

    Most are a :class:`~roleforge_llm.TemplateFormat`; any object with the attributes of
    :class:`~roleforge_llm.PromptFormat` will do. Templates are compiled when they are first used.
    """


@hookspec
def roleforge_backends() -> Iterable[BackendSpec]:  # type: ignore[empty-body]  # a specification
    """The backends that this plugin offers, called once per host.

    Listing must import nothing heavy: give the factory as ``"package.module:Class"``.
    """


@hookspec
def roleforge_failure_policies() -> Iterable[PolicySpec | DerivedPolicySpec]:  # type: ignore[empty-body]  # a specification
    """The failure policies that this plugin offers, called once per host.

    A :class:`~roleforge_llm.DerivedPolicySpec` builds on the policy of another plugin.
    """


@hookspec(firstresult=True)
def roleforge_classify_error(error: Exception, attempt: Attempt) -> Failure | None:
    """Say what kind of failure *error* is, or None to leave it to the next plugin.

    *error* is what the backend raised, *attempt* the failed attempt as far as it is known. The answer needs
    ``Failure(error=<a BackendError>, retryable=<bool>)``; the host fills in the rest. The plugins installed
    last are asked first, the built-in one last.
    """


@hookspec
def roleforge_event(event: Event) -> None:
    """Observe what happens in calls: attempts, failures, retries, fallbacks, interrupted streams, ends.

    Called when it happens, in the thread (or event loop) of the call: return quickly. What it raises is logged and
    ignored.
    """


@hookspec
def roleforge_commands() -> Iterable[click.Command]:  # type: ignore[empty-body]  # a specification
    """Further subcommands of ``roleforge-llm``, called when a subcommand is asked for that is not the host's own."""
