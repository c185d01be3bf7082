"""How a guarded template becomes Python: the operators are calls that price them, every pass of a loop is paid for."""

# ruff: noqa: N802, N815, D102 - the names are Jinja's: visit_ and the class of the node

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.idtracking import VAR_LOAD_PARAMETER

from roleforge_llm.sandbox.methods import DICT_NAMES, LOOP_NAMES
from roleforge_llm.sandbox.operators import OPERATORS

__all__ = ["GuardedCodeGenerator", "charge"]

_CALLING: Final = (nodes.Call, nodes.Filter, nodes.CallBlock, nodes.Macro)
_SMALL: Final = 1000
_COMPARISONS: Final = {"in": "is_in", "notin": "not_in"}


@attrs.frozen
class _Toll:
    """Stands in the tree as a constant where something is to be paid each time the code passes."""

    work: int
    memory: int


def charge(tree: nodes.Template) -> None:
    """Put a toll at the start of all that can run more than once; what runs once is paid for by its length."""
    for node in list(tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock))):
        assert isinstance(node, (nodes.For, nodes.Macro, nodes.CallBlock))
        # reads of a macro's defaults are repeated with it
        repeated = [*node.body, *getattr(node, "defaults", ())]
        node.body.insert(0, nodes.ExprStmt(_toll(repeated, node), lineno=node.lineno))
        if isinstance(node, nodes.For) and node.test is not None:
            node.test = nodes.And(_toll([node.test], node), node.test, lineno=node.lineno)
    for call in tree.find_all((nodes.Call, nodes.Filter, nodes.Test)):
        assert isinstance(call, (nodes.Call, nodes.Filter, nodes.Test))
        if call.dyn_args is not None:
            # a filter of this name cannot be written in a template
            call.dyn_args = nodes.Filter(call.dyn_args, "*", [], [], None, None, lineno=call.lineno)


def _toll(repeated: list[nodes.Node], owner: nodes.Node) -> nodes.Const:
    work, memory = 2, 0  # what a pass of an empty loop takes, this toll included
    for node in repeated:
        more_work, more_memory = _cost(node)
        work += more_work
        memory += more_memory
    return nodes.Const(_Toll(work, memory), lineno=owner.lineno)


def _cost(node: nodes.Node) -> tuple[int, int]:
    """Work and bytes of running *node* once, without what its operators and inner loops pay for themselves."""
    work, memory = (8 if isinstance(node, _CALLING) else 1), _own_memory(node)
    skipped = ("body",) if isinstance(node, (nodes.For, nodes.Macro, nodes.CallBlock)) else ()
    for child in node.iter_child_nodes(exclude=skipped):
        more_work, more_memory = _cost(child)
        work += more_work
        memory += more_memory
    return work, memory


def _own_memory(node: nodes.Node) -> int:
    if isinstance(node, nodes.TemplateData):
        return 4 * len(node.data) + 8
    if isinstance(node, nodes.Const):
        return 8 + (4 * len(node.value) if isinstance(node.value, str) else 0)
    if isinstance(node, (nodes.List, nodes.Tuple)):
        return 64 + 8 * len(node.items)
    if isinstance(node, nodes.Dict):
        return 128 + 128 * len(node.items)
    return 256 if isinstance(node, (nodes.Macro, nodes.CallBlock, nodes.For)) else 0


def _binary(name: str) -> Callable[[CodeGenerator, nodes.BinExpr, Frame], None]:
    def visit(generator: CodeGenerator, node: nodes.BinExpr, frame: Frame) -> None:
        generator.write(f"{name}(budget, ")
        generator.visit(node.left, frame)
        generator.write(", ")
        generator.visit(node.right, frame)
        generator.write(")")

    return visit


class GuardedCodeGenerator(CodeGenerator):
    """Jinja's, with every operator but ``and``, ``or``, ``not`` and the signs priced, and nothing folded."""

    visit_Mul = _binary("multiply")
    visit_Pow = _binary("power")
    visit_Mod = _binary("modulo")

    def write_commons(self) -> None:
        super().write_commons()
        self.writeline("budget = context.budget")
        self.writeline("toll = budget.toll")
        self.writeline("item = environment.item")
        self.writeline("attribute = environment.getattr")
        self.writeline(f"{', '.join(OPERATORS)} = environment.operators")

    def visit_Const(self, node: nodes.Const, frame: Frame) -> None:
        if isinstance(node.value, _Toll):
            # holds, so that it can stand before a condition
            self.write(f"not toll({node.value.work}, {node.value.memory})")
        else:
            super().visit_Const(node, frame)

    def visit_Sub(self, node: nodes.BinExpr, frame: Frame) -> None:
        if _is_small(node.right):
            self._write_plain(node, "-", frame)
        else:
            _binary("subtract")(self, node, frame)

    def _write_plain(self, node: nodes.BinExpr, operator: str, frame: Frame) -> None:
        """With a small number nothing but another number can be added or subtracted, which costs nothing."""
        self.write("(")
        self.visit(node.left, frame)
        self.write(f" {operator} ")
        self.visit(node.right, frame)
        self.write(")")

    def visit_Add(self, node: nodes.BinExpr, frame: Frame) -> None:
        if _is_small(node.right) and not isinstance(node.left, nodes.Add):
            self._write_plain(node, "+", frame)
            return
        # a + b + c in one call, as nearly every template has it
        terms: list[nodes.Expr] = []
        left: nodes.Expr = node
        while isinstance(left, nodes.Add):
            terms.append(left.right)
            left = left.left
        self.write("add(budget, ")
        for term in (left, *reversed(terms)):
            self.visit(term, frame)
            self.write(", ")
        self.write(")")

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("concat_parts(budget, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Compare(self, node: nodes.Compare, frame: Frame) -> None:
        if _is_quick(node):
            super().visit_Compare(node, frame)
        elif len(node.ops) == 1:
            self.write(f"{_name(node.ops[0])}(budget, ")
            self.visit(node.expr, frame)
            self.write(", ")
            self.visit(node.ops[0].expr, frame)
            self.write(")")
        else:
            self._write_chain(node, frame)

    def _write_chain(self, node: nodes.Compare, frame: Frame) -> None:
        self.write("chain(budget, ")
        self.visit(node.expr, frame)
        for operand in node.ops:
            self.write(f", ({_name(operand)}, lambda: ")
            self.visit(operand.expr, frame)
            self.write(")")
        self.write(")")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if isinstance(node.arg, nodes.Const):
            self._write_lookup("item", node.node, node.arg.value, frame)
            return
        if not isinstance(node.arg, nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("cut(budget, ")
        self.visit(node.node, frame)
        for part in (node.arg.start, node.arg.stop, node.arg.step):
            self.write(", ")
            self.visit(part or nodes.Const(None), frame)
        self.write(")")

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:
        # Nearly every look-up is one in a turn or a loop: these are written out, which is twice as fast as a call.
        name = self._parameter(node.node, frame)
        if name is not None and node.node.name == "loop" and node.attr in LOOP_NAMES:  # type: ignore[attr-defined]  # a Name
            self.write(f"({name}.{node.attr} if type({name}) is LoopContext else ")
        elif name is not None and node.attr not in DICT_NAMES:
            self.write(f"({name}[{node.attr!r}] if type({name}) is dict and {node.attr!r} in {name} else ")
        else:
            self.write("(")
        self._write_lookup("attribute", node.node, node.attr, frame)
        self.write(")")

    def _parameter(self, node: nodes.Node, frame: Frame) -> str | None:
        """The Python name of a variable that always has a value; None for anything else."""
        if not isinstance(node, nodes.Name) or node.ctx != "load":
            return None
        name = frame.symbols.ref(node.name)
        load = frame.symbols.find_load(name)
        is_parameter = load is not None and load[0] == VAR_LOAD_PARAMETER
        return name if is_parameter and not self.parameter_is_undeclared(name) else None

    def _write_lookup(self, function: str, node: nodes.Expr, key: object, frame: Frame) -> None:
        self.write(f"{function}(")
        self.visit(node, frame)
        self.write(f", {key!r})")

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self.write("{")
        for pair in node.items:
            self.write("check_key(")
            self.visit(pair.key, frame)
            self.write("): ")
            self.visit(pair.value, frame)
            self.write(", ")
        self.write("}")

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> str:
        # Anything else would run here, while the template is compiled, without a budget.
        if not isinstance(node, nodes.TemplateData) and not _is_text(node):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        del node, frame, finalize
        self.write("text(budget, ")


def _is_small(node: nodes.Node) -> bool:
    """Whether *node* is a number that changes the size of no other."""
    return isinstance(node, nodes.Const) and type(node.value) is int and abs(node.value) < _SMALL


def _is_text(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _is_quick(node: nodes.Compare) -> bool:
    """Whether no value whatever can make this comparison slow: with a constant, and no search."""
    return (
        len(node.ops) == 1
        and node.ops[0].op not in _COMPARISONS
        and (isinstance(node.expr, nodes.Const) or isinstance(node.ops[0].expr, nodes.Const))
    )


def _name(operand: nodes.Operand) -> str:
    return _COMPARISONS.get(operand.op, operand.op)
