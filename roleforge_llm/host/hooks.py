"""The hook functions of a plugin, and what is wrong with them before any is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType

from roleforge_llm import hookspecs
from roleforge_llm.host.isolation import PluginFault

__all__ = ["hooks_of"]

_PREFIX = "roleforge_"
_HOOKS = tuple(name for name in vars(hookspecs) if name.startswith(_PREFIX))
_MARK = f"{hookspecs.PROJECT}_impl"


def hooks_of(plugin: object, name: str) -> ModuleType:
    """A module called *name* that has the plugin's hooks and nothing else; each takes every argument of its hook.

    It is what pluggy gets instead of the plugin, whose other attributes, and notion of equality, are its own affair.

    Raises:
        PluginFault: with everything that is wrong with the hooks, or if there are none.
    """
    marked = {attribute: _attribute(plugin, attribute) for attribute in dir(plugin)}
    if faults := [fault for attribute, value in marked.items() for fault in _faults(plugin, attribute, value)]:
        raise PluginFault("; ".join(faults))
    hooks = ModuleType(name)
    for attribute, value in marked.items():
        if callable(value) and (options := _options(value)) is not None:
            setattr(hooks, attribute, _call(value, options))
    if not any(_options(hook) for hook in vars(hooks).values()):
        raise PluginFault(f"it has no hooks; mark functions such as {_HOOKS[0]} with @hookimpl")
    return hooks


def _attribute(plugin: object, name: str) -> object:
    try:
        return getattr(plugin, name, None)
    except Exception:  # noqa: BLE001  # a property of the plugin's own, which is no hook
        return None


def _options(function: object) -> Mapping[str, object] | None:
    """What ``@hookimpl`` has noted on *function*, None if it was not marked."""
    options = getattr(function, _MARK, None) if inspect.isroutine(function) else None
    return options if isinstance(options, dict) else None


def _call(function: Callable[..., object], options: Mapping[str, object]) -> Callable[..., object]:
    """*function* as a hook that is given all arguments by name, and passes on those that it asks for."""
    wanted = tuple(inspect.signature(function).parameters)

    def call(**arguments: object) -> object:
        return function(*(arguments[name] for name in wanted))

    setattr(call, _MARK, dict(options))
    return call


def _faults(plugin: object, name: str, function: object) -> Iterator[str]:
    options = _options(function)
    if options is not None and callable(function):
        yield from _faults_of_hook(str(options.get("specname") or name), plugin, function, options)
    elif not inspect.isroutine(function):
        if name in _HOOKS:
            yield f"{name} is no plain function"
    elif name.startswith(_PREFIX) and (near := _nearest(name)):
        meant = "" if near == name else f"; did you mean {near}?"
        yield f"{name} is not marked with @hookimpl{meant}"


def _faults_of_hook(
    hook: str, plugin: object, function: Callable[..., object], options: Mapping[str, object]
) -> Iterator[str]:
    if hook not in _HOOKS:
        if not options.get("optionalhook"):
            near = _nearest(hook)
            yield f"unknown hook {hook}; " + (f"did you mean {near}?" if near else f"known: {', '.join(_HOOKS)}")
        return
    if options.get("wrapper") or options.get("hookwrapper"):
        yield f"{hook} is a wrapper; hooks of other plugins cannot be wrapped"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"{hook} is async; hooks are plain functions"
    if isinstance(plugin, type) and _is_method(function):
        yield f"{hook} is a method, but the plugin is the class {plugin.__name__} itself; name an object of the class"
    else:
        given = tuple(inspect.signature(getattr(hookspecs, hook)).parameters)
        yield from _faults_of_arguments(hook, given, inspect.signature(function))


def _is_method(function: Callable[..., object]) -> bool:
    return isinstance(function, FunctionType) and "self" in function.__code__.co_varnames[:1]


def _faults_of_arguments(hook: str, given: Sequence[str], signature: inspect.Signature) -> Iterator[str]:
    for name, parameter in signature.parameters.items():
        if parameter.default is not parameter.empty:
            yield f"{hook} gives its argument {name} a default; hook arguments have none"
        elif parameter.kind not in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            yield f"{hook} takes {parameter}; hook arguments are plain ones"
        elif name not in given:
            known = f"its arguments are {' and '.join(given)}" if given else "it has no arguments"
            yield f"{hook} takes an unknown argument {name}; {known}"


def _nearest(name: str) -> str | None:
    """The hook that *name* is or was meant to be. The prefix that all share would make anything look near."""
    import difflib

    endings = [hook.removeprefix(_PREFIX) for hook in _HOOKS]
    near = difflib.get_close_matches(name.removeprefix(_PREFIX), endings, n=1)
    return f"{_PREFIX}{near[0]}" if near else None
