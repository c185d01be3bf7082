"""The first lines of a native template: what they say about the format, read without running any of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TypeAlias, cast

from jinja2 import nodes

from roleforge_llm.errors import TemplateError
from roleforge_llm.formats.fields import CHOICES, LISTS, TEXTS, Metadata
from roleforge_llm.sandbox import Dialect, parse

__all__ = ["dialect_of", "misspelt_variable", "read_metadata"]

NATIVE_VARIABLES = frozenset({"system_prompt", "history", "user_message", "assistant_message"})

Constant: TypeAlias = "bool | int | float | str | tuple[Constant, ...] | None"


def dialect_of(tree: nodes.Template) -> Dialect:
    """Native if the template sets ``stop_sequence`` or reads one of the variables that only native ones are given."""
    if any(name == "stop_sequence" for name, _ in _assignments(tree)):
        return "native"
    own: set[str] = set()
    for name in _names_in_order(tree):
        # a model's own template may well set a variable of such a name before it reads it
        if name.ctx == "load" and name.name in NATIVE_VARIABLES - own:
            return "native"
        if name.ctx != "load":
            own.add(name.name)
    return "hf"


def misspelt_variable(text: str) -> tuple[str, str] | None:
    """A name that the template *text* reads and the variable with a message in it that was probably meant."""
    known = {*NATIVE_VARIABLES, "messages"}
    for name in _names_in_order(parse("hf", text, "")):
        near = difflib.get_close_matches(name.name, known, n=1, cutoff=0.75)
        if near and name.name not in known:
            return name.name, near[0]
    return None


def read_metadata(tree: nodes.Template, filename: str) -> Metadata:
    """The metadata among the top-level ``{% set %}`` lines. Raises :class:`TemplateError` with file and line."""
    found: dict[str, object] = {}
    for name, node in _assignments(tree):
        try:
            if name in LISTS:
                found[LISTS[name]] = _texts(name, _literal(name, node.node))
            elif name in TEXTS:
                found[name] = _text(name, _literal(name, node.node))
            elif name in CHOICES:
                found[name] = _choice(name, _literal(name, node.node))
        except (TypeError, ValueError) as error:
            raise TemplateError(f"{filename}:{node.lineno}: {error}") from None
    return cast("Metadata", found)


def _assignments(tree: nodes.Template) -> Iterator[tuple[str, nodes.Assign]]:
    for node in tree.body:
        if isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
            yield node.target.name, node


def _names_in_order(node: nodes.Node) -> Iterator[nodes.Name]:
    """Every name as it is met when the template runs: what is assigned is read before it is set."""
    if isinstance(node, nodes.Name):
        yield node
    elif isinstance(node, nodes.Assign):
        yield from _names_in_order(node.node)
        yield from _names_in_order(node.target)
    else:
        for child in node.iter_child_nodes():
            yield from _names_in_order(child)


def _literal(name: str, node: nodes.Node) -> Constant:
    if isinstance(node, nodes.Const):
        value: Constant = node.value
        return value
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return tuple(_literal(name, item) for item in node.items)
    raise ValueError(f"{name} must be written out, because it is read without running the template")


def _texts(name: str, value: Constant) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        raise TypeError(f'{name} must be a list of texts, as in ["</s>"], not {value!r:.60}')
    for item in value:
        if not isinstance(item, str):
            raise TypeError(f"{name} must hold nothing but texts, not {item!r:.60}")
    return tuple(dict.fromkeys(item for item in value if isinstance(item, str) and item))


def _text(name: str, value: Constant) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text, not {value!r:.60}")
    return value


def _choice(name: str, value: Constant) -> str:
    if value not in CHOICES[name]:
        known = ", ".join(f'"{choice}"' for choice in CHOICES[name])
        raise ValueError(f"{name} must be one of {known}, not {value!r:.60}")
    return str(value)
