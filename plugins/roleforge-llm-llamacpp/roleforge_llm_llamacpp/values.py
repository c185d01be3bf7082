"""Kinds of values that a parameter may have: which are admitted, and how that is said."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol, TypeGuard

import attrs

from roleforge_llm.profiles import Bounds

__all__ = ["Adapters", "Biases", "Flag", "Kind", "Number", "Schema", "Text", "Texts", "Whole"]


class Kind(Protocol):
    """One kind of values."""

    def admits(self, value: object) -> bool:
        """Whether *value* is of this kind, and in its range."""
        ...

    def describe(self) -> str:
        """In words: "a number between 0 and 1"."""
        ...


_FLOAT = 3.4e38
"""The largest number that llama.cpp can hold; it makes more into infinity."""

_INT = 2**31 - 1
"""The largest whole number; it makes more into another one, even a negative one."""


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _FLOAT


@attrs.frozen
class Number(Kind):
    """A finite number between *low* and *high*, both included; None is open."""

    low: float | None = None
    high: float | None = None

    def admits(self, value: object) -> bool:
        """Whether *value* is such a number."""
        return (
            _is_number(value) and (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        )

    def describe(self) -> str:
        """In words."""
        return f"a number{self._range()}"

    def _range(self) -> str:
        return "" if self.low is None and self.high is None else f" {Bounds(self.low, self.high).describe()}"


@attrs.frozen
class Whole(Number):
    """A whole number."""

    high: float | None = _INT

    def admits(self, value: object) -> bool:
        """Whether *value* is such a number."""
        return isinstance(value, int) and super().admits(value)

    def describe(self) -> str:
        """In words."""
        return f"a whole number{self._range()}"


@attrs.frozen
class Flag(Kind):
    """True or false."""

    def admits(self, value: object) -> bool:
        """Whether *value* is one of the two."""
        return isinstance(value, bool)

    def describe(self) -> str:
        """In words."""
        return "true or false"


@attrs.frozen
class Text(Kind):
    """A text that is not empty; one of *words*, where there are any."""

    words: Collection[str] = ()

    def admits(self, value: object) -> bool:
        """Whether *value* is such a text."""
        return isinstance(value, str) and bool(value) and (not self.words or value in self.words)

    def describe(self) -> str:
        """In words."""
        return f"one of {', '.join(self.words)}" if self.words else "a text"


@attrs.frozen
class Texts(Kind):
    """A list of texts, at least one; only of *words*, where there are any."""

    words: Collection[str] = ()

    def admits(self, value: object) -> bool:
        """Whether *value* is such a list."""
        item = Text(self.words)
        return isinstance(value, (list, tuple)) and bool(value) and all(item.admits(each) for each in value)

    def describe(self) -> str:
        """In words."""
        return f"a list of {', '.join(self.words)}" if self.words else "a list of texts"


@attrs.frozen
class Schema(Kind):
    """A JSON schema, or any other table."""

    what: str = "a JSON schema"

    def admits(self, value: object) -> bool:
        """Whether *value* is a table; what stands in it is the server's business."""
        return isinstance(value, Mapping)

    def describe(self) -> str:
        """In words."""
        return self.what


@attrs.frozen
class Biases(Kind):
    """Biases of tokens: a table from token to bias, or a list of pairs. A token is its number or a text."""

    def admits(self, value: object) -> bool:
        """Whether every token has a bias: a number, or false to forbid it."""
        if isinstance(value, Mapping):
            return all(isinstance(token, str) and _is_bias(bias) for token, bias in value.items())
        return isinstance(value, (list, tuple)) and all(_is_pair(pair) for pair in value)

    def describe(self) -> str:
        """In words."""
        return "a list of [token, number or false]"


@attrs.frozen
class Adapters(Kind):
    """LoRA adapters, each with its id and scale."""

    def admits(self, value: object) -> bool:
        """Whether every adapter has both."""
        return isinstance(value, (list, tuple)) and all(
            isinstance(each, Mapping) and Whole(0).admits(each.get("id")) and _is_number(each.get("scale"))
            for each in value
        )

    def describe(self) -> str:
        """In words."""
        return "a list of {id, scale}"


def _is_bias(value: object) -> bool:
    return value is False or _is_number(value)


def _is_pair(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return False
    token, bias = value
    return (Whole(0).admits(token) or Text().admits(token)) and _is_bias(bias)
