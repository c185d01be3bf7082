"""The environments that templates run in, one per dialect."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeAlias

import jinja2
from jinja2 import Environment, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.utils import Namespace, missing

from roleforge_llm.sandbox.budget import Budget
from roleforge_llm.sandbox.compiler import GuardedCodeGenerator
from roleforge_llm.sandbox.filters import GUARDED_FILTERS
from roleforge_llm.sandbox.functions import Function, guarded_functions, strftime_now
from roleforge_llm.sandbox.limits import Limits
from roleforge_llm.sandbox.methods import DICT_NAMES, METHODS, attribute, call_method
from roleforge_llm.sandbox.operators import OPERATORS
from roleforge_llm.sandbox.predicates import GUARDED_TESTS

__all__ = ["Dialect", "GuardedContext", "environment"]

Dialect: TypeAlias = Literal["native", "hf"]


@cache
def environment(dialect: Dialect) -> Environment:
    """The environment for templates of *dialect*."""
    if dialect == "native":
        return _Guarded(trim_blocks=True, undefined=jinja2.StrictUndefined, cache_size=0, extensions=[Limits])
    made = _Guarded(
        trim_blocks=True, lstrip_blocks=True, cache_size=0, extensions=[Limits, LoopControlExtension, _Generation]
    )
    made.globals["strftime_now"] = Function(strftime_now)
    return made


class GuardedContext(Context):
    """The variables of one rendering, and what it may cost."""

    budget: Budget


class _Guarded(Environment):
    """An environment in which nothing can be reached but what this package lists, and all is priced."""

    sandboxed = True
    optimized = False  # folding constants would run filters while compiling, without a budget
    intercepted_binops: frozenset[str] = frozenset()
    intercepted_unops: frozenset[str] = frozenset()
    code_generator_class = GuardedCodeGenerator
    context_class = GuardedContext
    operators: tuple[Callable[..., Any], ...] = tuple(OPERATORS.values())

    def __init__(self, **options: Any) -> None:
        super().__init__(optimized=False, **options)
        self.filters = dict(GUARDED_FILTERS)
        self.tests = dict(GUARDED_TESTS)
        self.globals = dict(guarded_functions())

    def getattr(self, obj: Any, attribute_: str) -> Any:
        """``obj.attribute``: an attribute that may be reached, else an item."""
        if type(obj) is dict and attribute_ not in DICT_NAMES:
            found = obj.get(attribute_, missing)
            return self.undefined(obj=obj, name=attribute_) if found is missing else found
        if type(obj) is Namespace and not attribute_.startswith("_"):
            # what its own __getattribute__ does, which asks itself first
            found = object.__getattribute__(obj, "_Namespace__attrs").get(attribute_, missing)
            return self.undefined(obj=obj, name=attribute_) if found is missing else found
        return attribute(self, obj, attribute_)

    def item(self, obj: Any, argument: Any) -> Any:
        """:meth:`getitem` for a text or number that stands in the template."""
        try:
            return obj[argument]
        except (TypeError, LookupError):
            if isinstance(argument, str):
                return attribute(self, obj, argument)
            return self.undefined(obj=obj, name=argument)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """``obj[argument]``: an item, else an attribute that may be reached."""
        if not isinstance(argument, (str, int, float, jinja2.Undefined)) and argument is not None:
            raise SecurityError(f"items are looked up by text or number, not by {type(argument).__name__!r}")
        return self.item(obj, argument)

    def call(self, context: GuardedContext, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """``function(*args, **kwargs)``, for a macro, a listed function or a listed method."""
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        budget = context.budget
        budget.spend(1 + len(args) + len(kwargs), 128 + 16 * len(args) + 128 * len(kwargs))
        if isinstance(function, Function):
            return function.run(budget, *args, **kwargs)
        if isinstance(function, METHODS):
            return call_method(self, budget, function, args, kwargs)
        if isinstance(function, (Macro, LoopContext)):
            return _deeper(budget, function, args, kwargs)
        if isinstance(function, jinja2.Undefined):
            return function(*args, **kwargs)
        raise SecurityError(f"a {type(function).__name__} cannot be called")


def _deeper(budget: Budget, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    budget.enter()
    try:
        return function(*args, **kwargs)
    finally:
        budget.leave()


class _Generation(Extension):
    """``{% generation %}`` marks the text of the assistant for training; for a prompt it is transparent."""

    tags = {"generation"}  # noqa: RUF012  # declared by Jinja, which only reads it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)
