"""The functions that templates have: each is told the budget, and is nothing but callable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NoReturn

import attrs
import jinja2
from jinja2.exceptions import SecurityError
from jinja2.utils import Namespace

from roleforge_llm.sandbox.budget import Budget
from roleforge_llm.sandbox.operators import check_key, text

__all__ = ["Function", "guarded_functions", "strftime_now"]

LONGEST_RANGE: Final = 100_000
_LONGEST_PATTERN: Final = 500


@attrs.frozen(eq=False, repr=False)
class Function:
    """A function for guarded templates; *run* is given the budget before the template's arguments."""

    run: Callable[..., Any]


def guarded_functions() -> dict[str, Function]:
    """By name, those of both dialects."""
    return {
        "dict": Function(_dict),
        "namespace": Function(_namespace),
        "raise_exception": Function(_raise),
        "range": Function(_range),
    }


def strftime_now(budget: Budget, pattern: str) -> str:
    """The local date and time, as *pattern* says."""
    budget.spend(100, 1000)
    if len(pattern) > _LONGEST_PATTERN:
        raise SecurityError("the pattern of strftime_now is too long")
    return datetime.now().strftime(pattern)  # noqa: DTZ005  # templates tell the model the local date


def _raise(budget: Budget, message: Any = "") -> NoReturn:
    raise jinja2.TemplateError(text(budget, message))


def _range(budget: Budget, *bounds: int) -> range:
    budget.spend(1)
    numbers = range(*bounds)
    if len(numbers) > LONGEST_RANGE:
        raise OverflowError(f"Range too big. The sandbox blocks ranges larger than {LONGEST_RANGE}.")
    return numbers


def _dict(budget: Budget, /, *args: Any, **kwargs: Any) -> dict[Any, Any]:
    (source,) = args or ({},)
    pairs: Any = source.items() if isinstance(source, dict) else budget.items(source)
    budget.spend(len(pairs) + len(kwargs), 128 * (len(pairs) + len(kwargs)))
    return {check_key(key): value for key, value in pairs} | kwargs


def _namespace(budget: Budget, /, *args: Any, **kwargs: Any) -> Namespace:
    values = _dict(budget, *args, **kwargs)
    budget.spend(1, 256 + 128 * len(values))
    for name in values:
        if not isinstance(name, str) or name.startswith("_"):
            raise SecurityError(f"a namespace cannot have the name {name!r:.60}")
    return Namespace(values)
