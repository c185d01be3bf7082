"""What each listing hook must give, and the faults in what a plugin gives instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from roleforge_llm.host.isolation import PluginFault
from roleforge_llm.host.offers import OfferKind

__all__ = ["HOOKS", "check_offer"]

HOOKS = {
    OfferKind.FORMAT: "roleforge_formats",
    OfferKind.BACKEND: "roleforge_backends",
    OfferKind.POLICY: "roleforge_failure_policies",
    OfferKind.COMMAND: "roleforge_commands",
}

_TEXTS = ("reply_prefix", "reply_suffix", "system_turns", "bos")
_LISTS = ("stop", "control_tokens")

Check: TypeAlias = Callable[[object], str | None]


def check_offer(kind: OfferKind, item: object) -> str:
    """The name of an offered *item*. Raises :class:`PluginFault` if it is not what the hook is for."""
    fault = f"the class {item.__name__}, not an object of it" if isinstance(item, type) else _CHECKS[kind](item)
    if fault is not None:
        raise PluginFault(f"{HOOKS[kind]}: it gave {fault}")
    name = getattr(item, "name", None)
    if not isinstance(name, str) or not name.strip():
        raise PluginFault(f"{HOOKS[kind]}: it gave a {kind.value} whose name is {name!r}")
    if any(character in ":/\\" or not character.isprintable() for character in name):
        raise PluginFault(f"{HOOKS[kind]}: it gave the {kind.value} {name!r}; a name has no colon and no slash")
    return name


def _fault_in_format(item: object) -> str | None:
    missing = [name for name in ("name", *_LISTS, *_TEXTS, "render") if not hasattr(item, name)]
    if missing:
        advice = "subclass roleforge_llm.PromptFormat for the defaults"
        return f"{_kind_of(item)}, which has no {', '.join(missing)}; {advice}"
    wrong = [name for name in _LISTS if not _is_texts(getattr(item, name))]
    wrong += [name for name in _TEXTS if not isinstance(getattr(item, name), str)]
    if wrong:
        kinds = "; ".join(f"{name} must be {'a tuple of texts' if name in _LISTS else 'text'}" for name in wrong)
        return f"{_named(item)} whose {', '.join(wrong)} has the wrong type: {kinds}"
    return None if callable(getattr(item, "render", None)) else f"{_named(item)} whose render is no method"


def _fault_in_backend(item: object) -> str | None:
    from roleforge_llm.backends import BackendSpec, Capabilities

    if not isinstance(item, BackendSpec):
        return f"{_kind_of(item)}, not a BackendSpec"
    if not (callable(item.factory) or (isinstance(item.factory, str) and ":" in item.factory)):
        return f"the backend {item.name!r} with a factory that is neither callable nor 'package.module:Class'"
    if not (callable(item.capabilities) or isinstance(item.capabilities, Capabilities)):
        return f"the backend {item.name!r} with capabilities that are no Capabilities"
    return None


def _fault_in_policy(item: object) -> str | None:
    from roleforge_llm.policies import PolicySpec

    if not isinstance(item, PolicySpec):
        return f"{_kind_of(item)}, not a PolicySpec"
    if not (callable(item.factory) and callable(item.limits)):
        return f"the failure policy {item.name!r} with a factory or limits that cannot be called"
    return None


def _fault_in_command(item: object) -> str | None:
    import click

    return None if isinstance(item, click.Command) else f"{_kind_of(item)}, not a click.Command"


_CHECKS: dict[OfferKind, Check] = {
    OfferKind.FORMAT: _fault_in_format,
    OfferKind.BACKEND: _fault_in_backend,
    OfferKind.POLICY: _fault_in_policy,
    OfferKind.COMMAND: _fault_in_command,
}


def _named(item: object) -> str:
    return f"the format {getattr(item, 'name', None)!r:.60}"


def _kind_of(item: object) -> str:
    return f"an object of type {type(item).__name__}"


def _is_texts(value: object) -> bool:
    # A text is a sequence of texts, too; as stop sequences it would end a reply at any of its letters.
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, str) for item in value)
