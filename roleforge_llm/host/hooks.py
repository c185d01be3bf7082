"""Telling what is wrong with a plugin before any hook of it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping

from roleforge_llm import hookspecs
from roleforge_llm.host.isolation import PluginFault

__all__ = ["check_api", "check_hooks"]

_PREFIX = "roleforge_"
_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(_PREFIX))
_MARK = f"{hookspecs.PROJECT}_impl"


def check_api(plugin: object) -> None:
    """Raise :class:`PluginFault` if the plugin asks for another version of the plugin API than this host's."""
    demanded = getattr(plugin, "ROLEFORGE_LLM_API", None)
    if demanded is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(str(demanded)).contains(hookspecs.API_VERSION)
    except InvalidSpecifier:
        raise PluginFault(f"ROLEFORGE_LLM_API = {demanded!r} is no version specifier such as '>=1,<2'") from None
    if not fits:
        advice = "install versions of it and of roleforge-llm that fit"
        reason = f"it asks for plugin API {demanded}, this host has {hookspecs.API_VERSION}; {advice}"
        raise PluginFault(reason, "incompatible")


def check_hooks(plugin: object) -> None:
    """Raise :class:`PluginFault` with everything that is wrong with the plugin's hooks, or if it has none."""
    if faults := list(_faults(plugin)):
        raise PluginFault("; ".join(faults))
    if not any(isinstance(getattr(getattr(plugin, name, None), _MARK, None), dict) for name in dir(plugin)):
        raise PluginFault(f"it has no hooks; mark functions such as {_HOOKS[0]} with @hookimpl")


def _faults(plugin: object) -> Iterator[str]:
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        if not inspect.isroutine(function):
            if name in _HOOKS:
                yield f"{name} is no plain function"
            continue
        options = getattr(function, _MARK, None)
        if isinstance(options, dict):
            yield from _faults_of_hook(options.get("specname") or name, function, options)
        elif name.startswith(_PREFIX) and (near := _nearest(name)):
            meant = "" if near == name else f"; did you mean {near}?"
            yield f"{name} is not marked with @hookimpl{meant}"


def _faults_of_hook(hook: str, function: Callable[..., object], options: Mapping[str, object]) -> Iterator[str]:
    if hook not in _HOOKS:
        if not options.get("optionalhook"):
            near = _nearest(hook)
            yield f"unknown hook {hook}; " + (f"did you mean {near}?" if near else f"known: {', '.join(_HOOKS)}")
        return
    if options.get("wrapper") or options.get("hookwrapper"):
        yield f"{hook} is a wrapper; hooks of other plugins cannot be wrapped"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"{hook} is async; hooks are plain functions"
    yield from _faults_of_arguments(hook, inspect.signature(function))


def _faults_of_arguments(hook: str, signature: inspect.Signature) -> Iterator[str]:
    for name, parameter in signature.parameters.items():
        if parameter.default is not parameter.empty:
            yield f"{hook} gives its argument {name} a default; hook arguments have none"
        elif parameter.kind not in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            yield f"{hook} takes {parameter}; hook arguments are plain ones"


def _nearest(name: str) -> str | None:
    """The hook that *name* is or was meant to be. The prefix that all share would make anything look near."""
    import difflib

    endings = [hook.removeprefix(_PREFIX) for hook in _HOOKS]
    near = difflib.get_close_matches(name.removeprefix(_PREFIX), endings, n=1)
    return f"{_PREFIX}{near[0]}" if near else None
