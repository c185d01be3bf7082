"""What each listing hook must give, and the faults in what a plugin gives instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from roleforge_llm.host.isolation import PluginFault, class_name, described, shown
from roleforge_llm.host.offers import OfferKind

__all__ = ["HOOKS", "offers_in"]

HOOKS = {
    OfferKind.FORMAT: "roleforge_formats",
    OfferKind.BACKEND: "roleforge_backends",
    OfferKind.POLICY: "roleforge_failure_policies",
    OfferKind.COMMAND: "roleforge_commands",
}

_TEXTS = ("reply_prefix", "reply_suffix", "system_turns", "bos")
_LISTS = ("stop", "control_tokens")
_MOST = 10_000
_LONGEST_NAME = 200

Check: TypeAlias = Callable[[object], str | None]


def offers_in(kind: OfferKind, listed: object) -> tuple[list[tuple[str, object]], list[str]]:
    """What a listing hook gave: the right offers by name, and what is wrong with the others.

    Raises :class:`PluginFault` if it gave no list, or one without an end.
    """
    right: list[tuple[str, object]] = []
    wrong: list[str] = []
    for item in _items(listed):
        try:
            right.append((_checked_name(kind, item), item))
        except PluginFault as fault:
            wrong.append(str(fault))
    return right, wrong


def _items(listed: object) -> list[object]:
    if isinstance(listed, (str, bytes, Mapping)) or not isinstance(listed, Iterable):
        what = "None" if listed is None else f"an object of type {class_name(type(listed))}"
        raise PluginFault(f"it gave {what}, not a list")
    items = list(islice(listed, _MOST + 1))
    if len(items) > _MOST:
        raise PluginFault(f"it gave more than {_MOST} items")
    return items


def _checked_name(kind: OfferKind, item: object) -> str:
    """The name of an offered *item*. Raises :class:`PluginFault` if it is not what the hook is for."""
    try:
        fault = f"the class {class_name(item)}, not an object of it" if isinstance(item, type) else _CHECKS[kind](item)
        name = getattr(item, "name", None)
    except Exception as error:
        raise PluginFault(f"it gave {_kind_of(item)}, which raises {described(error)}") from error
    if fault is not None:
        raise PluginFault(f"it gave {fault}")
    # A subclass of str has methods of its own.
    plain = str.__str__(name) if isinstance(name, str) else ""
    if not plain.strip():
        raise PluginFault(f"it gave a {kind.value} whose name is {shown(name)}")
    if fault := _fault_in_name(plain):
        raise PluginFault(f"it gave the {kind.value} {plain!r:.60}; a name has {fault}")
    return plain


def _fault_in_name(name: str) -> str | None:
    if any(character in ":/\\" or not character.isprintable() for character in name):
        return "no colon, no slash and only printable characters"
    if name != name.strip() or name.startswith("-"):
        return "no space at its ends and no hyphen in front"
    return None if len(name) <= _LONGEST_NAME else f"at most {_LONGEST_NAME} characters"


def _fault_in_format(item: object) -> str | None:
    from roleforge_llm.formats.lookup import is_reference

    missing = [name for name in ("name", *_LISTS, *_TEXTS, "render") if not hasattr(item, name)]
    if missing:
        advice = "subclass roleforge_llm.PromptFormat for the defaults"
        return f"{_kind_of(item)}, which has no {', '.join(missing)}; {advice}"
    wrong = [name for name in _LISTS if not _is_texts(getattr(item, name))]
    wrong += [name for name in _TEXTS if not isinstance(getattr(item, name), str)]
    if wrong:
        kinds = "; ".join(f"{name} must be {'a tuple of texts' if name in _LISTS else 'text'}" for name in wrong)
        return f"{_named(item)} whose {', '.join(wrong)} has the wrong type: {kinds}"
    if not callable(getattr(item, "render", None)):
        return f"{_named(item)} whose render is no method"
    what = "that is read as a path, a template's text, or the format of a server"
    return f"{_named(item)}, a name {what}" if is_reference(getattr(item, "name", None)) else None


def _fault_in_backend(item: object) -> str | None:
    from roleforge_llm.backends import BackendSpec, Capabilities

    if not isinstance(item, BackendSpec):
        return f"{_kind_of(item)}, not a BackendSpec"
    if not (callable(item.factory) or (isinstance(item.factory, str) and ":" in item.factory)):
        return f"the backend {item.name!r} with a factory that is neither callable nor 'package.module:Class'"
    if not (callable(item.capabilities) or isinstance(item.capabilities, Capabilities)):
        return f"the backend {item.name!r} with capabilities that are no Capabilities"
    return None if isinstance(item.description, str) else f"the backend {item.name!r} whose description is no text"


def _fault_in_policy(item: object) -> str | None:
    from roleforge_llm.policies import DerivedPolicySpec, PolicySpec

    if isinstance(item, DerivedPolicySpec):
        if not isinstance(item.base, str):
            return f"the failure policy {item.name!r} whose base is no name"
        return None if callable(item.derive) else f"the failure policy {item.name!r} with a derive that is no function"
    if not isinstance(item, PolicySpec):
        return f"{_kind_of(item)}, not a PolicySpec"
    if not (callable(item.factory) and callable(item.limits)):
        return f"the failure policy {item.name!r} with a factory or limits that cannot be called"
    return None


def _fault_in_command(item: object) -> str | None:
    import click

    if not isinstance(item, click.Command):
        return f"{_kind_of(item)}, not a click.Command"
    if inspect.iscoroutinefunction(item.callback):
        return f"the command {item.name!r} whose callback is async; commands are plain functions"
    # The help of all commands needs both.
    text = item.get_short_help_str() if not item.hidden else ""
    return None if isinstance(text, str) else f"the command {item.name!r} whose help is no text"


_CHECKS: dict[OfferKind, Check] = {
    OfferKind.FORMAT: _fault_in_format,
    OfferKind.BACKEND: _fault_in_backend,
    OfferKind.POLICY: _fault_in_policy,
    OfferKind.COMMAND: _fault_in_command,
}


def _named(item: object) -> str:
    return f"the format {shown(getattr(item, 'name', None))}"


def _kind_of(item: object) -> str:
    return f"an object of type {class_name(type(item))}"


def _is_texts(value: object) -> bool:
    # A text is a sequence of texts, too; as stop sequences it would end a reply at any of its letters.
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, str) for item in value)
