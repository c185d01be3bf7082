"""The filters of one text: Jinja's, each priced before it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from jinja2.filters import FILTERS
from markupsafe import Markup, escape

from roleforge_llm.sandbox.budget import Budget
from roleforge_llm.sandbox.methods import line_count, price_replacement
from roleforge_llm.sandbox.operators import percent, text

__all__ = ["TEXT_FILTERS"]


def _text(budget: Budget, value: Any) -> str:
    return value if isinstance(value, str) else text(budget, value)


def _of_text(price: Callable[..., None], name: str) -> Callable[..., Any]:
    """A filter of a text, *price* being asked with the text and the arguments."""
    run: Callable[..., Any] = FILTERS[name]

    def priced(budget: Budget, value: Any, *args: Any, **kwargs: Any) -> Any:
        whole = _text(budget, value)
        price(budget, whole, *args, **kwargs)
        return run(whole, *args, **kwargs)

    return priced


def _longer(factor: int) -> Callable[..., None]:
    def price(budget: Budget, whole: str, *_: object, **__: object) -> None:
        budget.characters(whole, factor)
        budget.read(whole)

    return price


def _trimmed(budget: Budget, value: Any, chars: str | None = None) -> str:
    whole: str = value if type(value) is str else _text(budget, value)
    if chars or len(whole) > 200:
        budget.read(whole, 1 + len(chars or ""))
        budget.characters(whole)
    else:
        budget.memory -= 900
    return whole.strip(chars)


def _centering(budget: Budget, whole: str, width: int = 80) -> None:
    budget.padding(whole, width)


def _indenting(budget: Budget, whole: str, width: int | str = 4, *_: object, **__: object) -> None:
    lines = line_count(budget, whole) + 1
    margin = len(width) if isinstance(width, str) else max(width, 0)
    budget.spend(lines, lines * (4 * margin + 96))
    budget.characters(whole, 6)


def _replacing(budget: Budget, value: Any, old: Any, new: Any, count: Any = None) -> str:
    whole, old, new = str(_text(budget, value)), str(_text(budget, old)), str(_text(budget, new))
    price_replacement(budget, whole, old, new)
    return whole.replace(old, new, -1 if count is None else count)


def _escaping(budget: Budget, value: Any) -> Markup:
    if isinstance(value, Markup):
        return value
    whole = text(budget, value)
    budget.characters(whole, 6)
    return escape(whole)


def _formatting(budget: Budget, value: Any, *args: Any, **kwargs: Any) -> Any:
    if args and kwargs:
        raise TypeError("format takes arguments by position or by name, not both")
    return percent(budget, _text(budget, value), kwargs or args)


TEXT_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "capitalize": _of_text(_longer(3), "capitalize"),
    "center": _of_text(_centering, "center"),
    "e": _escaping,
    "escape": _escaping,
    "format": _formatting,
    "indent": _of_text(_indenting, "indent"),
    "lower": _of_text(_longer(3), "lower"),
    "replace": _replacing,
    "safe": _of_text(_longer(1), "safe"),
    "string": _of_text(_longer(1), "string"),
    "title": _of_text(_longer(60), "title"),
    "trim": _trimmed,
    "upper": _of_text(_longer(3), "upper"),
}
"""By name, each to be called with the budget, the text and its arguments."""
