"""What the compiled code of a guarded template calls in place of Python's operators, each priced first."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import partial, reduce
from typing import Any, Final

from jinja2 import Undefined
from jinja2.exceptions import SecurityError
from markupsafe import Markup

from roleforge_llm.sandbox.budget import CONTAINERS, ITERATORS, SIZED, VIEWS, Budget

__all__ = ["OPERATORS", "add", "check_key", "contains", "equal", "modulo", "ordered", "percent", "text"]

LARGEST_BITS: Final = 4096
LARGEST: Final = 1 << LARGEST_BITS
_ESCAPED: Final = 6  # how many times longer the escaping of marked-up text can make it


def text(budget: Budget, value: Any) -> str:
    """*value* as it stands in the output."""
    if type(value) is str:
        # joined in the end with others, the widest of whose characters decides
        budget.memory -= 4 * len(value)
        if budget.memory < 0:
            budget.exceeded()
        return value
    return _written(budget, value)


def _written(budget: Budget, value: Any) -> str:
    if isinstance(value, Undefined):
        return str(value)
    if isinstance(value, str):
        budget.spend(1, 8 * len(value))
        return str(value)
    budget.spend(1, 10 * budget.weigh(value) + 64)
    return str(value)


def concat(budget: Budget, parts: tuple[Any, ...]) -> str:
    """``a ~ b ~ c``."""
    return "".join([text(budget, part) for part in parts])


def add(budget: Budget, *terms: Any) -> Any:
    """``a + b + c``."""
    size = 0
    for term in terms:
        if type(term) is not str:
            return reduce(partial(_add, budget), terms)
        size += len(term)
    # only for long ones is it worth asking whether they are narrow
    budget.memory -= (size if size > 1000 and all(map(str.isascii, terms)) else 4 * size) + 64
    if budget.memory < 0:
        budget.exceeded()
    return "".join(terms)


def _add(budget: Budget, left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        size = len(left) + len(right)
        escaped = _ESCAPED if isinstance(left, Markup) or isinstance(right, Markup) else 1
        budget.spend(1, 4 * escaped * size + 64)
    elif isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        budget.spend(1, 8 * (len(left) + len(right)) + 64)
    return _checked(left + right)


def subtract(budget: Budget, left: Any, right: Any) -> Any:
    """``left - right``."""
    del budget
    if isinstance(left, VIEWS) or isinstance(right, VIEWS):
        raise TypeError("only numbers can be subtracted")
    return _checked(left - right)


def multiply(budget: Budget, left: Any, right: Any) -> Any:
    """``left * right``."""
    for value, times in ((left, right), (right, left)):
        if isinstance(value, str) and isinstance(times, int):
            budget.characters(value, max(times, 0))
        elif isinstance(value, (list, tuple)) and isinstance(times, int):
            budget.spend(1, 8 * len(value) * max(times, 0) + 64)
    return _checked(left * right)


def power(budget: Budget, left: Any, right: Any) -> Any:
    """``left ** right``."""
    del budget
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > LARGEST_BITS:
        raise OverflowError("the number is too large")
    return left**right


def modulo(budget: Budget, left: Any, right: Any) -> Any:
    """``left % right``."""
    if isinstance(left, str):
        return percent(budget, left, right)
    return left % right


def _checked(value: Any) -> Any:
    if isinstance(value, int) and not -LARGEST < value < LARGEST:
        raise OverflowError("the number is too large")
    return value


def percent(budget: Budget, template: str, values: Any) -> str:
    """``template % values``."""
    first, *directives = template.split("%")
    longest = 0
    if isinstance(values, dict):
        longest = max((budget.weigh(value) for value in values.values()), default=0)
    numbers = values if isinstance(values, tuple) else (values,)
    stars = sum(abs(number) for number in numbers if isinstance(number, int)) if "*" in template else 0
    price = 10 * budget.weigh(values) + 4 * (len(template) + stars) + len(first)
    price += sum(4 * _width(directive) + 10 * longest + 512 for directive in directives)
    budget.spend(len(directives), price * (_ESCAPED if isinstance(template, Markup) else 1))
    formatted: str = template % values
    return formatted


_WIDTH: Final = re.compile(r"[-+ #0]*(\d*)(?:\.(\d*))?")
_DIGITS: Final = re.compile(r"\d+")


def _width(directive: str) -> int:
    """No less than the width and the precision that *directive*, what follows a percent sign, asks for."""
    if directive.startswith("("):
        return sum(map(digits, _DIGITS.findall(directive)))
    found = _WIDTH.match(directive)
    return sum(map(digits, found.groups())) if found else 0


def digits(number: str | None) -> int:
    """The value of a width, which may be longer than Python reads."""
    return int(number[:12]) * 10 ** min(len(number[12:]), 3) if number else 0


def equal(budget: Budget, left: Any, right: Any) -> Any:
    """``left == right``."""
    _price_comparison(budget, left, right)
    return left == right


def ordered(function: Callable[[Any, Any], Any]) -> Callable[[Budget, Any, Any], Any]:
    """A comparison, priced."""

    def compare(budget: Budget, left: Any, right: Any) -> Any:
        if type(left) is int and type(right) is int:
            return function(left, right)
        _price_comparison(budget, left, right)
        return function(left, right)

    return compare


def _price_comparison(budget: Budget, left: Any, right: Any) -> None:
    if isinstance(left, str):
        if isinstance(right, str):
            budget.read(left if len(left) < len(right) else right)
    elif isinstance(left, CONTAINERS) and isinstance(right, CONTAINERS) and left and right:
        budget.spend((budget.weigh(left) + budget.weigh(right)) >> 6)


def contains(budget: Budget, part: Any, whole: Any) -> bool:
    """``part in whole``."""
    if isinstance(whole, str):
        if isinstance(part, str):
            price_search(budget, whole, part)
        return part in whole
    if isinstance(whole, (dict, VIEWS[0])):
        check_key(part)
    elif isinstance(whole, SIZED):
        budget.spend(len(whole) * (1 + (budget.weigh(part) >> 6)))
    elif isinstance(whole, ITERATORS):
        budget.spend(whole.__length_hint__() * (1 + (budget.weigh(part) >> 6)))
    elif not isinstance(whole, Undefined):
        raise TypeError(f"argument of type {type(whole).__name__!r} is not iterable")
    return part in whole


def lacks(budget: Budget, part: Any, whole: Any) -> bool:
    """``part not in whole``."""
    return not contains(budget, part, whole)


def price_search(budget: Budget, whole: str, part: str, backwards: bool = False) -> None:
    """Pay for looking for *part* in *whole*, which can take the product of their lengths.

    Except for long parts of long texts: Python looks for those in linear time, though only forwards.
    """
    length, compared = len(whole), len(part)
    if compared > 100 and length >= 2500 and not backwards:
        compared = 100
    budget.work -= length * (1 + compared // 4) >> 6  # as budget.read() does; most templates look for many texts
    if budget.work < 0:
        budget.exceeded()


def check_key(key: Any) -> Any:
    """Refuse what makes hashing or finding it slow: tuples in tuples, numbers made to collide."""
    if isinstance(key, int) and not -(1 << 60) < key < 1 << 60:
        raise SecurityError("the number is too large for a key")
    if key is not None and not isinstance(key, (str, int, float, Undefined)):
        raise TypeError(f"only texts and numbers are keys, not {type(key).__name__!r}")
    return key


def cut(budget: Budget, value: Any, start: Any, stop: Any, step: Any) -> Any:
    """``value[start:stop:step]``."""
    part = slice(start, stop, step)
    if isinstance(value, (str, list, tuple)):
        length = len(range(*part.indices(len(value))))
        budget.spend(1, (4 if isinstance(value, str) else 8) * length + 64)
    return value[part]


def chain(budget: Budget, left: Any, *rest: tuple[Callable[[Budget, Any, Any], Any], Callable[[], Any]]) -> Any:
    """``a < b < c``: each operand is worked out once, and only if those before it hold."""
    holds: Any = True
    for compare, operand in rest:
        right = operand()
        holds = compare(budget, left, right)
        if not holds:
            break
        left = right
    return holds


OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "add": add,
    "chain": chain,
    "check_key": check_key,
    "concat_parts": concat,
    "cut": cut,
    "eq": equal,
    "gt": ordered(operator.gt),
    "gteq": ordered(operator.ge),
    "is_in": contains,
    "lt": ordered(operator.lt),
    "lteq": ordered(operator.le),
    "modulo": modulo,
    "multiply": multiply,
    "ne": ordered(operator.ne),
    "not_in": lacks,
    "power": power,
    "subtract": subtract,
    "text": text,
}
"""Each under the name that compiled code calls it by."""
