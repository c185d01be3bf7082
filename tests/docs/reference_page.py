"""docs/reference.md: every public name in one line each."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence

import attrs

from roleforge_llm import errors
from tests.docs.docstrings import docstring, summary
from tests.docs.publicnames import Group, PublicName, groups

__all__ = ["members", "page"]

_HEAD = """\
# Reference

Every public name, in one line each. What is not on this page, among the [hooks](hooks.md) or among the
[commands](commands.md) is not public and may change without notice.

Signatures, types and whole docstrings stand on the pages that each section leads to. They are made from the code when
the documentation is built (see [Contributing](../CONTRIBUTING.md#documentation)); in Python, `help(roleforge_llm.Client)`
shows the same.

Names of `roleforge_llm` are loaded when they are first used: importing the package finds no plugins and loads no HTTP
library. `__version__` is the version of the host.
"""

_TAIL = """
## Environment variables

| variable | meaning |
|---|---|
| `ROLEFORGE_LLM_CONFIG` | the configuration file to use |
| `ROLEFORGE_LLM_DISABLE_PLUGINS` | plugins not to load, separated by commas; `*` is all but the built-in |
"""


def page() -> str:
    """The whole page, in Markdown."""
    return _HEAD + "".join(map(_section, groups())) + _TAIL


def _section(group: Group) -> str:
    modules = " and ".join(f"`{module}`" for module in dict.fromkeys(name.module for name in group.names))
    head = f"\n## {group.title}\n\nFrom {modules}; in full: [{group.title}](api/{group.path.name}).\n\n"
    tree = f"{_tree()}\n\n" if group.path.stem == "exceptions" else ""
    rows = "".join(f"| {' | '.join(_row(name))} |\n" for name in group.names)
    return f"{head}{tree}| name | what it is | arguments and members |\n|---|---|---|\n{rows}"


def _tree() -> str:
    """The tree of exceptions, as its module draws it."""
    return inspect.cleandoc(errors.__doc__ or "").partition("::\n\n")[2].partition("\n\n")[0]


def _row(public: PublicName) -> Sequence[str]:
    said = summary(docstring(public.module, public.name)).replace("|", "\\|")
    return f"`{public.name}`", said, ", ".join(f"`{member}`" for member in dict.fromkeys(members(public)))


def members(public: PublicName) -> Iterator[str]:
    """Arguments and fields by their names, methods with parentheses."""
    value = public.value
    if inspect.isroutine(value):
        yield from inspect.signature(value).parameters
    if inspect.isclass(value):
        yield from _fields(value) if public.constructed else ()
        for owner in _owners(value):
            yield from (_member(name, found) for name, found in vars(owner).items() if not name.startswith("_"))


def _fields(value: type) -> Iterator[str]:
    """What a class is made with, and the attributes that it declares or sets when it is made."""
    if attrs.has(value):
        found = [field.name for field in attrs.fields(value)]
    elif "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
        found = [*inspect.signature(value).parameters, *_set_attributes(value)]
    else:
        found = list(vars(value).get("__annotations__", {}))
    yield from (name for name in found if not name.startswith("_"))


def _set_attributes(value: type) -> Iterator[str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(value.__init__)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def _owners(value: type) -> Iterator[type]:
    """The class itself, and those bases of ours that have no row of their own."""
    named = {public.name for group in groups() for public in group.names}
    for owner in value.__mro__:
        if owner is value or (owner.__module__.startswith("roleforge_llm") and owner.__name__ not in named):
            yield owner


def _member(name: str, value: object) -> str:
    return f"{name}()" if inspect.isroutine(value) or isinstance(value, classmethod | staticmethod) else name
