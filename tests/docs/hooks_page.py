"""docs/hooks.md: every hook, from its specification."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

from roleforge_llm import hookspecs
from tests.docs.docstrings import as_markdown
from tests.docs.markdown import REPOSITORY, Block, Page, heading_slug
from tests.docs.publicnames import groups

__all__ = ["HOOKS", "examples", "page"]

HOOKS: dict[str, Callable[..., object]] = {
    name: hook for name, hook in vars(hookspecs).items() if name.startswith("roleforge_")
}

_HEAD = """\
# Hooks

What a plugin can do, hook by hook: the specifications in `roleforge_llm/hookspecs.py`, of which this page is made.
[Writing plugins](PLUGIN_GUIDE.md) has an example of each and says how a plugin is published.

A hook function is marked with `hookimpl`, is a plain function (not async), takes its arguments by the names given here,
without defaults, and may leave out those that it does not need. Hooks return data and register nothing. One that raises
is recorded against its plugin and never stops the others.

The version of this plugin API is {version}.
"""


def page() -> str:
    """The whole page, in Markdown."""
    return _HEAD.format(version=hookspecs.API_VERSION) + "".join(_section(name) for name in HOOKS)


def _section(name: str) -> str:
    arguments = [f"{argument}: {type_}" for argument, type_ in _arguments(name)]
    signature = f"    {name}({', '.join(arguments)}) -> {HOOKS[name].__annotations__['return']}\n"
    text = as_markdown(inspect.getdoc(HOOKS[name]) or "")
    return f"\n## {name}\n\n{signature}\n{text}\n\n{''.join(_facts(name))}"


def _facts(name: str) -> Iterator[str]:
    for argument, type_ in _arguments(name):
        yield f"- **argument** `{argument}`: {_linked(type_)}\n"
    returned = HOOKS[name].__annotations__["return"]
    yield f"- **returns** {'nothing' if returned == 'None' else _linked(returned)}\n"
    yield f"- **with several plugins** {_together(name)}\n"
    if found := examples(name):
        links = ", ".join(f"[{title}](PLUGIN_GUIDE.md#{heading_slug(title)})" for title in found)
        yield f"- **example** {links}\n"


def _arguments(name: str) -> Iterator[tuple[str, str]]:
    for parameter in inspect.signature(HOOKS[name]).parameters.values():
        yield parameter.name, parameter.annotation


def _together(name: str) -> str:
    if HOOKS[name].roleforge_llm_spec["firstresult"]:
        return "they are asked one after the other until one answers something else than None"
    return "all are called" if HOOKS[name].__annotations__["return"] == "None" else "what all of them give is taken"


def _linked(type_: str) -> str:
    """A type in words; names of ours lead to the reference."""
    homes = {public.name: heading_slug(group.title) for group in groups() for public in group.names}
    names = re.split(r"(\[| \| )", type_.replace("]", ""))
    words = {"[": " of ", " | ": " or "}
    return "".join(
        words.get(name) or (f"[`{name}`](reference.md#{homes[name]})" if name in homes else f"`{name}`")
        for name in names
    )


def examples(name: str) -> list[str]:
    """The sections of the guide that implement a hook, in code that the tests run."""
    guide = Page.read(REPOSITORY / "docs" / "PLUGIN_GUIDE.md")
    lines = guide.text.splitlines()
    blocks = [item for item in guide.items if isinstance(item, Block) and f"def {name}(" in item.text]
    above = [next(line for line in reversed(lines[: block.line]) if line.startswith("## ")) for block in blocks]
    return list(dict.fromkeys(line.removeprefix("## ") for line in above))
