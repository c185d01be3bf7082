"""The tests that templates have, ``x is odd``: Jinja's, with those priced that do more than look."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from jinja2.tests import TESTS

from roleforge_llm.sandbox.budget import Budget
from roleforge_llm.sandbox.filters import GUARDED_FILTERS, with_budget
from roleforge_llm.sandbox.functions import Function
from roleforge_llm.sandbox.operators import check_key, contains, equal, modulo, ordered, text

__all__ = ["GUARDED_TESTS"]


def _read(budget: Budget, value: Any) -> str:
    whole = value if isinstance(value, str) else text(budget, value)
    budget.read(whole, 6)
    return whole


_PRICED: Final[dict[str, Callable[..., Any]]] = {
    **dict.fromkeys(("==", "eq", "equalto"), equal),
    **dict.fromkeys(("!=", "ne"), ordered(operator.ne)),
    **dict.fromkeys((">", "gt", "greaterthan"), ordered(operator.gt)),
    **dict.fromkeys(("<", "lt", "lessthan"), ordered(operator.lt)),
    **dict.fromkeys((">=", "ge"), ordered(operator.ge)),
    **dict.fromkeys(("<=", "le"), ordered(operator.le)),
    "callable": lambda _, value: isinstance(value, Function) or callable(value),
    "divisibleby": lambda budget, value, number: modulo(budget, value, number) == 0,
    "even": lambda budget, value: modulo(budget, value, 2) == 0,
    "filter": lambda _, value: check_key(value) in GUARDED_FILTERS,
    "in": contains,
    "lower": lambda budget, value: _read(budget, value).islower(),
    "odd": lambda budget, value: modulo(budget, value, 2) == 1,
    "test": lambda _, value: check_key(value) in GUARDED_TESTS,
    "upper": lambda budget, value: _read(budget, value).isupper(),
}

GUARDED_TESTS: Final[dict[str, Any]] = {
    **TESTS,
    **{name: with_budget(run) for name, run in _PRICED.items()},
}
