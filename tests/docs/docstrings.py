"""Docstrings, as a Markdown page shows them."""

from __future__ import annotations

import ast
import importlib
import inspect
import re

__all__ = ["as_markdown", "docstring", "summary"]

_ROLE = re.compile(r":(\w+):`(?:~(?:\w+\.)*)?([\w.]+)`")
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z*`:])")


def docstring(module: str, name: str) -> str:
    """The docstring of a public name; for an alias or a constant it is the text that stands below it."""
    public = getattr(importlib.import_module(module), name)
    if inspect.isclass(public) or inspect.isroutine(public):
        return inspect.getdoc(public) or ""
    return _below(module, name)


def _below(module: str, name: str) -> str:
    """The text below the assignment to *name*, in *module* or where *module* has it from."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for statement, following in zip(tree.body, [*tree.body[1:], ast.Pass()], strict=True):
        if name in _assigned(statement):
            is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            return inspect.cleandoc(str(following.value.value)) if is_text else ""
    origins = (
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names)
    )
    origin = next(origins, None)
    return _below(origin, name) if origin else ""


def _assigned(statement: ast.stmt) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def as_markdown(text: str) -> str:
    """*text* with the marks of reStructuredText that our docstrings use in Markdown."""
    text = _ROLE.sub(lambda role: f"`{role[2]}{'()' if role[1] in ('meth', 'func') else ''}`", text)
    return text.replace("``", "`").replace("::\n", ":\n")


def summary(text: str) -> str:
    """The first sentence of a docstring, in Markdown and on one line."""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    return as_markdown(_SENTENCE.split(paragraph)[0])
