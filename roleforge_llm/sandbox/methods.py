"""Which attributes of which values a guarded template reaches, and what calling a method costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import BuiltinMethodType, MethodType
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Undefined
from jinja2.exceptions import SecurityError
from jinja2.filters import _GroupTuple  # what groupby gives has no public name
from jinja2.runtime import LoopContext, Macro
from jinja2.sandbox import SandboxedFormatter
from jinja2.utils import Namespace
from markupsafe import Markup, escape

from roleforge_llm.sandbox.budget import Budget
from roleforge_llm.sandbox.operators import check_key, digits, price_search, text

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["DICT_NAMES", "LOOP_NAMES", "attribute", "call_method"]

Price = Callable[..., None]

LINE_ENDS: Final = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
DICT_NAMES: Final = frozenset(dir(dict))
LOOP_NAMES: Final = frozenset(
    {"index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"}
    | {"previtem", "nextitem", "changed", "cycle"}
)


def attribute(environment: Environment, value: Any, name: str) -> Any:
    """``value.name`` where it is an attribute: a method that is listed here, or a name of a loop."""
    if name in _NAMES.get(type(value), ()):
        return getattr(value, name)
    if isinstance(value, Undefined) and not name.startswith("_"):
        return getattr(value, name)  # raises, and says of what it is undefined
    if name.startswith("_") or hasattr(type(value), name) or type(value) not in _PLAIN:
        raise SecurityError(f"access to attribute {name!r:.60} of {type(value).__name__!r} object is unsafe")
    return environment.undefined(obj=value, name=name)


def call_method(environment: Environment, budget: Budget, method: Any, args: Sequence[Any], kwargs: Any) -> Any:
    """Call what :func:`attribute` gave, after its price is paid."""
    owner = method.__self__
    name = method.__name__
    if isinstance(owner, str) and name in {"format", "format_map"}:
        return _format(environment, budget, method, args, kwargs)
    if isinstance(owner, str) and name == "join":
        return _join(budget, owner, *args, **kwargs)
    if isinstance(owner, Markup):
        args = [_marked_up(budget, value) for value in args]
    price = _PRICES.get(type(owner), {}).get(name)
    if price is None:
        raise SecurityError(f"{name!r:.60} of {type(owner).__name__!r} object cannot be called")
    price(budget, owner, *args, **kwargs)
    return method(*args, **kwargs)


def _marked_up(budget: Budget, value: Any) -> Any:
    if type(value) is not str:
        return value
    budget.characters(value, 6)
    return escape(value)


def _join(budget: Budget, separator: str, values: Any) -> str:
    parts = budget.items(values)
    if type(separator) is not str or not all(type(part) is str for part in parts):
        raise TypeError("join() takes a list of texts")
    budget.joining(separator, parts)
    return separator.join([text(budget, part) for part in parts])


def _format(environment: Environment, budget: Budget, method: Any, args: Sequence[Any], kwargs: Any) -> str:
    if isinstance(method.__self__, Markup):
        raise SecurityError(f"{method.__name__!r} of a text that is marked as safe cannot be called")
    if method.__name__ == "format_map":
        (kwargs,) = args
        if not isinstance(kwargs, dict):
            raise TypeError("format_map() takes a mapping")
        args = ()
    budget.read(method.__self__)
    budget.characters(method.__self__)
    return _PricedFormatter(environment, budget).vformat(method.__self__, args, kwargs)


class _PricedFormatter(SandboxedFormatter):
    """``str.format`` whose fields are looked up as the template itself would, and priced one by one."""

    def __init__(self, environment: Environment, budget: Budget) -> None:
        super().__init__(environment)
        self._budget = budget

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        self._budget.spend(10 + len(field_name))
        return super().get_field(field_name, args, kwargs)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion is not None:
            self._budget.spend(1, 10 * self._budget.weigh(value) + 64)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        width = sum(digits(number) for number in re.findall(r"\d+", format_spec))
        self._budget.spend(1, 4 * width + 10 * self._budget.weigh(value) + 512)
        return super().format_field(value, format_spec)


def _same_size(budget: Budget, value: str, *_: object) -> None:
    budget.characters(value, 1 if value.isascii() else 3)
    budget.read(value)


def _reading(budget: Budget, value: str, *_: object) -> None:
    budget.read(value, 6)


def _strip(budget: Budget, value: str, chars: str | None = None) -> None:
    budget.read(value, 1 + len(chars or ""))
    budget.characters(value)


def _affix(budget: Budget, value: str, affix: str | tuple[str, ...], *_: object) -> None:
    for text_ in (affix,) if isinstance(affix, str) else affix:
        budget.read(text_)
        budget.spend(1)
    del value


def _without_affix(budget: Budget, value: str, affix: str) -> None:
    budget.read(affix)
    budget.characters(value)


def _search(budget: Budget, value: str, part: str, *_: object) -> None:
    price_search(budget, value, part)


def _search_backwards(budget: Budget, value: str, part: str, *_: object) -> None:
    price_search(budget, value, part, backwards=True)


def _partition(budget: Budget, value: str, part: str) -> None:
    price_search(budget, value, part, backwards=True)
    budget.characters(value)


def _split(budget: Budget, value: str, sep: str | None = None, maxsplit: int = -1) -> None:
    del maxsplit
    if sep is None:
        pieces = len(value) // 2 + 1
        budget.read(value)
    else:
        price_search(budget, value, sep, backwards=True)
        pieces = (value.count(sep) if sep else 0) + 1
    budget.spend(pieces, 112 * pieces)
    budget.characters(value)


def line_count(budget: Budget, value: str) -> int:
    """No less than the lines of *value*, paid for."""
    budget.read(value, len(LINE_ENDS))
    return sum(map(value.count, LINE_ENDS)) + 1


def _splitlines(budget: Budget, value: str, *_: object, **__: object) -> None:
    lines = line_count(budget, value)
    budget.spend(lines, 112 * lines)
    budget.characters(value)


def price_replacement(budget: Budget, value: str, old: str, new: str, count: int = -1) -> None:
    """Pay for replacing each *old* in *value* by *new*."""
    del count
    price_search(budget, value, old)
    found = value.count(old)
    size = len(value) + found * len(new)
    budget.spend(found >> 2, (size if value.isascii() and new.isascii() else 4 * size) + 64)


def _pad(budget: Budget, value: str, width: int, fill: str = " ") -> None:
    del fill
    budget.padding(value, width)


def _expandtabs(budget: Budget, value: str, tabsize: int = 8) -> None:
    budget.read(value)
    budget.characters(value)
    budget.spend(1, 4 * value.count("\t") * max(tabsize, 0))


def _nothing(budget: Budget, *_: object) -> None:
    budget.spend(1)


def _get(budget: Budget, value: dict[Any, Any], key: Any, default: Any = None) -> None:
    del budget, value, default
    check_key(key)


def _copy(budget: Budget, value: Sequence[Any]) -> None:
    budget.spend(len(value), 128 * len(value))


def _look_through(budget: Budget, value: Sequence[Any], item: Any, *_: object) -> None:
    budget.spend(len(value) * (1 + (budget.weigh(item) >> 6)))


_TEXT_PRICES: Final[dict[str, Price]] = {
    **dict.fromkeys(("upper", "lower", "title", "capitalize", "casefold", "swapcase"), _same_size),
    **dict.fromkeys(("isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "istitle"), _reading),
    **dict.fromkeys(("isnumeric", "isdecimal", "isidentifier", "isprintable", "isascii"), _reading),
    **dict.fromkeys(("strip", "lstrip", "rstrip"), _strip),
    **dict.fromkeys(("startswith", "endswith"), _affix),
    **dict.fromkeys(("removeprefix", "removesuffix"), _without_affix),
    **dict.fromkeys(("find", "index", "count"), _search),
    **dict.fromkeys(("rfind", "rindex"), _search_backwards),
    **dict.fromkeys(("partition", "rpartition"), _partition),
    **dict.fromkeys(("split", "rsplit"), _split),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _pad),
    "splitlines": _splitlines,
    "replace": price_replacement,
    "expandtabs": _expandtabs,
}
_PRICES: Final[dict[type, dict[str, Price]]] = {
    str: _TEXT_PRICES,
    Markup: _TEXT_PRICES,
    dict: {**dict.fromkeys(("items", "keys", "values"), _nothing), "get": _get, "copy": _copy},
    list: {**dict.fromkeys(("index", "count"), _look_through), "copy": _copy},
    tuple: dict.fromkeys(("index", "count"), _look_through),
    LoopContext: {
        "cycle": _nothing,
        "changed": lambda budget, loop, *values: budget.spend(budget.weigh(values) >> 6),  # noqa: ARG005  # its place
    },
}
_NAMES: Final[dict[type, frozenset[str]]] = {
    **{kind: frozenset(prices) for kind, prices in _PRICES.items()},
    str: frozenset({*_TEXT_PRICES, "format", "format_map", "join"}),
    LoopContext: LOOP_NAMES,
    Macro: frozenset({"name", "arguments", "catch_kwargs", "catch_varargs", "caller"}),
    _GroupTuple: frozenset({"grouper", "list"}),
}
_PLAIN: Final = (Namespace, dict, list, tuple, str, Markup, int, float, bool, type(None), range)
METHODS: Final = (BuiltinMethodType, MethodType)
