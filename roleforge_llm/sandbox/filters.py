"""The filters that templates have: Jinja's, each priced before it runs, and ``tojson``.

A filter that Jinja works out lazily is worked out at once, and gives an iterator over what it found: chains of
half-used generators could be made longer than the interpreter can take apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from jinja2 import Environment, pass_context
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS, make_attrgetter

from roleforge_llm.sandbox.budget import ITERATORS, VALUE_DEPTH, Budget
from roleforge_llm.sandbox.operators import add, check_key, text
from roleforge_llm.sandbox.text_filters import TEXT_FILTERS

__all__ = ["GUARDED_FILTERS", "with_budget"]

_LONGEST_NUMBER: Final = 4300  # digits; Python's own limit


def _tojson(  # noqa: PLR0917  # the filter's own arguments
    budget: Budget,
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as models are trained on; Jinja's own filter escapes for HTML, which would change what they read."""
    size = budget.weigh(value)
    margin = len(indent) if isinstance(indent, str) else max(indent or 0, 0)
    around = VALUE_DEPTH * margin + sum(len(part) for part in separators or ())
    budget.spend(size >> 5, 6 * size + 4 * around * (_lines(value) if around else 1) + 64)
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _lines(value: Any) -> int:
    """How many values there are in *value*, which has been weighed and so is not too deep."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return 1
    return 1 + sum(map(_lines, value))


def _to_number(name: str) -> Callable[..., Any]:
    run: Callable[..., Any] = FILTERS[name]

    def convert(budget: Budget, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and len(value) > _LONGEST_NUMBER:
            raise SecurityError("the text is too long for a number")
        budget.spend(10)
        return run(value, *args, **kwargs)

    return convert


def _rounding(budget: Budget, value: Any, precision: int = 0, method: str = "common") -> Any:
    budget.spend(1)
    if abs(precision) > 300:
        raise SecurityError("the precision is too large")
    return FILTERS["round"](value, precision, method)


def _listing(budget: Budget, values: Any) -> list[Any]:
    return budget.items(values)


def _pairs(budget: Budget, value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        budget.spend(len(value), 72 * len(value))
    return iter(list(FILTERS["items"](value)))


def _reversed(budget: Budget, value: Any) -> Any:
    if isinstance(value, str):
        budget.characters(value)
        return value[::-1]
    parts = budget.items(value)
    return parts[::-1] if isinstance(value, ITERATORS) else reversed(parts)


def _batches(budget: Budget, values: Any, linecount: int, fill_with: Any = None) -> Iterator[Any]:
    parts = budget.items(values)
    budget.spend(len(parts), 96 * len(parts) + 8 * max(linecount, 0))
    return iter(list(FILTERS["batch"](parts, linecount, fill_with)))


def _slices(budget: Budget, values: Any, slices: int, fill_with: Any = None) -> Iterator[Any]:
    parts = budget.items(values)
    slices = max(slices, 0)
    budget.spend(slices, 96 * slices + 16 * len(parts))
    return iter(list(FILTERS["slice"](parts, slices, fill_with)))


def _summed(environment: Environment, budget: Budget, values: Any, attribute: Any = None, start: Any = 0) -> Any:
    if isinstance(start, str):
        raise TypeError("sum() can't sum strings")
    for item in _keys(environment, budget, budget.items(values), attribute):
        budget.spend(1)
        start = add(budget, start, item)
    return start


def _joined(environment: Environment, budget: Budget, values: Any, d: Any = "", attribute: Any = None) -> str:
    parts = _keys(environment, budget, budget.items(values), attribute)
    separator = text(budget, d)
    texts = [text(budget, part) for part in parts]
    budget.joining(separator, texts)
    return separator.join(texts)


def _unique(
    environment: Environment, budget: Budget, values: Any, case_sensitive: bool = False, attribute: Any = None
) -> Iterator[Any]:
    parts = budget.items(values)
    for key in _keys(environment, budget, parts, attribute):
        check_key(key)
        budget.spend(5, 128 + budget.weigh(key))
    return iter(list(FILTERS["unique"](environment, parts, case_sensitive, attribute)))


def _keys(environment: Environment, budget: Budget, parts: list[Any], attribute: Any) -> list[Any]:
    if attribute is None:
        return parts
    _price_arguments(budget, len(parts), (attribute,), {})
    return list(map(make_attrgetter(environment, attribute), parts))


def _sorting(name: str) -> Callable[..., Any]:
    """A filter that compares the items with each other."""
    run: Callable[..., Any] = FILTERS[name]

    def priced(environment: Environment, budget: Budget, values: Any, *args: Any, **kwargs: Any) -> Any:
        parts = budget.items(values)
        _price_arguments(budget, len(parts), args, kwargs)
        size = sum(map(budget.weigh, parts))
        rounds = len(parts).bit_length()
        budget.spend(rounds * (len(parts) + (size >> 6)), size + 128 * len(parts))
        return run(environment, parts, *args, **kwargs)

    return priced


def _sorted_pairs(budget: Budget, value: Any, *args: Any, **kwargs: Any) -> Any:
    size = budget.weigh(value)
    count = len(value) if isinstance(value, dict) else 0
    budget.spend(count.bit_length() * (count + (size >> 6)), size + 128 * count)
    return FILTERS["dictsort"](value, *args, **kwargs)


def _price_arguments(budget: Budget, count: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    # the longest of them may be a path of attributes, which is walked for every item
    longest = max((len(value) for value in (*args, *kwargs.values()) if isinstance(value, str)), default=0)
    budget.spend(30 + count * (10 + longest // 2), 64 * count)


def _each(name: str) -> Callable[..., Any]:
    """A filter that asks another filter, a test or an attribute of every item."""
    names = 2 if name.endswith("attr") else 1
    run: Callable[..., Any] = FILTERS[name]

    def priced(context: Any, values: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        if not values:
            context.budget.spend(10)
            return iter([])
        parts = context.budget.items(values)
        for asked in args[:names]:
            check_key(asked)
        _price_arguments(context.budget, len(parts), args, kwargs)
        return iter(list(run(context, parts, *args, **kwargs)))

    return priced


def with_budget(run: Callable[..., Any]) -> Callable[..., Any]:
    """*run* as a filter or test: the budget of the rendering goes before its arguments."""

    @pass_context
    def priced(context: Any, *args: Any, **kwargs: Any) -> Any:
        return run(context.budget, *args, **kwargs)

    return priced


def _with_environment(run: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def priced(context: Any, *args: Any, **kwargs: Any) -> Any:
        return run(context.environment, context.budget, *args, **kwargs)

    return priced


_PRICED: Final[dict[str, Callable[..., Any]]] = {
    "batch": _batches,
    "dictsort": _sorted_pairs,
    "float": _to_number("float"),
    "int": _to_number("int"),
    "items": _pairs,
    "list": _listing,
    "reverse": _reversed,
    "round": _rounding,
    "slice": _slices,
    "tojson": _tojson,
}
_LOOKING_UP: Final[dict[str, Callable[..., Any]]] = {
    "groupby": _sorting("groupby"),
    "join": _joined,
    "max": _sorting("max"),
    "min": _sorting("min"),
    "sort": _sorting("sort"),
    "sum": _summed,
    "unique": _unique,
}
_CHEAP: Final = ("abs", "count", "d", "default", "first", "last", "length")

GUARDED_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    **{name: FILTERS[name] for name in _CHEAP},
    **{name: with_budget(run) for name, run in (TEXT_FILTERS | _PRICED).items()},
    **{name: _with_environment(run) for name, run in _LOOKING_UP.items()},
    **{name: pass_context(_each(name)) for name in ("map", "reject", "rejectattr", "select", "selectattr")},
    # written by the compiler around the list in f(*list)
    "*": with_budget(_listing),
}
