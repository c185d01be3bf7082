"""Templates that lay out one turn after the other: rendering those turns that are new.

A template is *resumable* where this can be seen in it: it has one loop over turns, whose every pass depends on its own
turn, on its place, and on what is the same as long as the conversation only grows. Then the passes of a longer
conversation begin with those of a shorter one, to the byte. What stands before and behind the loop is not restricted
in any way, because it is rendered anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import attrs
from jinja2 import Template, nodes
from jinja2.visitor import NodeTransformer

from roleforge_llm.sandbox.environments import environment
from roleforge_llm.sandbox.plaindata import Plain
from roleforge_llm.sandbox.rendering import compiled, parse, run

__all__ = ["Resumable", "Resumed", "Turns", "resumable"]

Turns: TypeAlias = Literal["history", "messages"]
"""The list of turns that a template goes through."""

_LISTS: Final[tuple[Turns, ...]] = ("history", "messages")
_CONSTANT: Final = frozenset({"system_prompt", "bos_token", "eos_token"})
"""What stays the same while a conversation grows. A system prompt is its first message."""
_GROWING: Final = frozenset({"history", "messages", "user_message", "assistant_message", "add_generation_prompt"})
_PLACES: Final = frozenset({"first", "index", "index0"})
_FIELDS: Final = frozenset({"role", "content", "name"})
_PURE: Final = (
    *(nodes.Output, nodes.TemplateData, nodes.If, nodes.Assign, nodes.Name, nodes.Const, nodes.CondExpr),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Filter, nodes.Test, nodes.Call, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
    *(nodes.Neg, nodes.Pos, nodes.Concat, nodes.List, nodes.Tuple, nodes.Keyword),
)
"""What a pass may consist of."""

_TEXTS: Final = (nodes.TemplateData, nodes.Const)
_BORDER: Final = "\0"
"""Stands between the pieces of a rendering; no message can hold it."""
_NEW: Final = "_new_turns"
_DONE: Final = "_passes_done"


@attrs.frozen
class Resumed:
    """What a template made: its text *before* the loop, one for each of the loop's *passes*, and that *after* it.

    *chosen* has a "1" for each turn that has a pass, "0" for one that the loop leaves out. *before* includes what
    stands in for a loop without a pass.
    """

    before: str
    chosen: str
    passes: list[str]
    after: str


@attrs.frozen
class Resumable:
    """A resumable template. *turns* is the list that it goes through, *choice* a template that makes ``chosen``."""

    turns: Turns
    choice: Template | None
    template: Template
    filename: str

    def render(self, variables: Mapping[str, Plain], new: list[Plain], done: int) -> Resumed:
        """Render the *new* turns, behind *done* passes; *variables* are of the whole conversation.

        No text in them may hold NUL. Raises :class:`TemplateError`.
        """
        chosen = "1" * len(new)
        if self.choice is not None:
            chosen = run(self.choice, self.filename, {_NEW: new})
            new = [turn for turn, choice in zip(new, chosen, strict=True) if choice == "1"]
        text = run(self.template, self.filename, {**variables, _NEW: new, _DONE: done})
        before, instead, *passes, after = text.split(_BORDER)
        return Resumed(before + instead, chosen, passes, after)


@lru_cache(maxsize=512)
def resumable(text: str, filename: str) -> Resumable | None:
    """The native template *text*, if it is resumable. Raises :class:`TemplateError`."""
    tree = parse("native", text, filename)
    loops = [node for node in tree.body if isinstance(node, nodes.For)]
    if len(loops) != 1 or _writes_borders(tree) or any(name in text for name in (_NEW, _DONE)):
        return None
    (loop,) = loops
    turns = _list_of(loop)
    if turns is None or not _depends_on_its_turn(loop, tree.body[: tree.body.index(loop)]):
        return None
    choice = _choice(loop)
    chooser = None if choice is None else compiled("native", choice, filename)
    return Resumable(turns, chooser, compiled("native", _resuming(tree, loop), filename), filename)


def _list_of(loop: nodes.For) -> Turns | None:
    is_plain = isinstance(loop.target, nodes.Name) and isinstance(loop.iter, nodes.Name) and not loop.recursive
    return next((name for name in _LISTS if is_plain and loop.iter.name == name), None)  # type: ignore[attr-defined]  # a Name


def _writes_borders(tree: nodes.Template) -> bool:
    texts = [node.data if isinstance(node, nodes.TemplateData) else node.value for node in tree.find_all(_TEXTS)]  # type: ignore[attr-defined]  # a Const
    return any(isinstance(text, str) and _BORDER in text for text in texts)


# ---------------------------------------------------------------------- the proof


def _depends_on_its_turn(loop: nodes.For, before: Sequence[nodes.Node]) -> bool:
    """Whether a pass of *loop* depends on its turn, on its place, and on what is the same for all conversations.

    The statements *before* it may have set names that it reads.
    """
    stable = _stable_after(before)
    elsewhere = {node.name for node in _walk(before) if isinstance(node, nodes.Name)}
    target = loop.target.name  # type: ignore[attr-defined]  # a Name, as was seen before
    seen = list(_walk([*loop.body, *([loop.test] if loop.test is not None else [])]))
    own = {node.name for node in seen if isinstance(node, nodes.Name) and node.ctx == "store"}
    if own & {target, "loop", *elsewhere, *_GROWING}:
        return False
    fields = [node for node in seen if _reads(node, target, _FIELDS)]
    places = [node for node in seen if _reads(node, "loop", _PLACES)]
    names = [node.name for node in seen if isinstance(node, nodes.Name)]
    return (
        all(isinstance(node, _PURE) for node in seen)
        and all(isinstance(node.node, nodes.Getattr) for node in seen if isinstance(node, nodes.Call))
        and names.count(target) == len(fields)
        and names.count("loop") == len(places)
        and set(names) <= stable | own | {target, "loop"}
    )


def _stable_after(statements: Sequence[nodes.Node]) -> set[str]:
    """The names that have the same value however long the conversation is, when *statements* have run."""
    stable = set(_CONSTANT)
    for statement in statements:
        names = [node for node in _walk([statement]) if isinstance(node, nodes.Name)]
        stored = {node.name for node in names if node.ctx != "load"}
        if {node.name for node in names if node.ctx == "load"} <= stable and isinstance(statement, nodes.Assign):
            stable |= stored
        else:
            stable -= stored
    return stable


def _reads(node: nodes.Node, name: str, keys: frozenset[str]) -> bool:
    """Whether *node* is ``name.key`` or ``name["key"]`` with one of *keys*."""
    if isinstance(node, nodes.Getattr):
        key = node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        key = node.arg.value
    else:
        return False
    return isinstance(node.node, nodes.Name) and node.node.name == name and key in keys


def _walk(found: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
    for node in found:
        yield node
        yield from _walk(list(node.iter_child_nodes()))


# ---------------------------------------------------------------------- the change


def _choice(loop: nodes.For) -> nodes.Template | None:
    """A template that writes "1" for each turn that *loop* goes through, and "0" for each that it leaves out."""
    if loop.test is None:
        return None
    number = nodes.CondExpr(loop.test, nodes.Const("1"), nodes.Const("0"))
    choosing = nodes.For(loop.target, nodes.Name(_NEW, "load"), [nodes.Output([number])], [], None, False)
    return _finished(nodes.Template([choosing]), loop.lineno)


def _resuming(tree: nodes.Template, loop: nodes.For) -> nodes.Template:
    """*tree* with *loop* going through the chosen new turns alone, and with marks where its passes begin and end."""
    border = nodes.Output([nodes.TemplateData(_BORDER)])
    place = _Place()
    loop.body = [border, *map(place.visit, loop.body)]
    loop.iter, loop.test = nodes.Name(_NEW, "load"), None
    if loop.else_:
        loop.else_ = [nodes.If(nodes.Not(nodes.Name(_DONE, "load")), loop.else_, [], [])]
    at = tree.body.index(loop)
    tree.body[at : at + 1] = [border, loop, border]
    return _finished(tree, loop.lineno)


def _finished(tree: nodes.Template, line: int) -> nodes.Template:
    """*tree*, with what Jinja's parser gives every node; new ones get *line*."""
    tree.set_lineno(line)
    tree.set_environment(environment("native"))
    return tree


class _Place(NodeTransformer):
    """Makes ``loop.index`` and the like count the passes that are done."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802  # Jinja's name
        return self._counted(node, node.attr)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802  # as above
        return self._counted(node, node.arg.value if isinstance(node.arg, nodes.Const) else None)

    def _counted(self, node: nodes.Expr, key: object) -> nodes.Node:
        if not _reads(node, "loop", _PLACES):
            return self.generic_visit(node)
        done = nodes.Name(_DONE, "load")
        return nodes.And(node, nodes.Not(done)) if key == "first" else nodes.Add(node, done)
