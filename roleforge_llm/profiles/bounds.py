"""Ranges of settings, written into the types of their fields."""

from collections.abc import Callable
from numbers import Real
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs

__all__ = ["Bounds", "bounds_of", "with_bounds"]


@attrs.frozen
class Bounds:
    """The range of a number, both ends included; None is open."""

    low: float | None = None
    high: float | None = None

    def describe(self) -> str:
        """In words, for error messages."""
        if self.high is None:
            return f"at least {self.low:.15g}"
        if self.low is None:
            return f"at most {self.high:.15g}"
        return f"between {self.low:.15g} and {self.high:.15g}"

    def admits(self, value: float) -> bool:
        """Whether *value* is a finite number within the range."""
        return (
            float("-inf") < value < float("inf")
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
        )


def bounds_of(annotation: object) -> Bounds | None:
    """The :class:`Bounds` written into a field's type, looking through ``| None``."""
    if get_origin(annotation) is Annotated:
        return next((extra for extra in get_args(annotation)[1:] if isinstance(extra, Bounds)), None)
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return next((bounds for part in get_args(annotation) if (bounds := bounds_of(part)) is not None), None)
    return None


def _within(bounds: Bounds) -> "Callable[[object, attrs.Attribute[Any], float | None], None]":
    def check(_: object, attribute: "attrs.Attribute[Any]", value: float | None) -> None:
        if value is None:
            return
        if not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"{attribute.name} must be a number, not {value!r:.60}")
        if not bounds.admits(value):
            raise ValueError(f"{attribute.name} must be {bounds.describe()}, not {value!r:.60}")

    return check


def with_bounds(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    """A field transformer for attrs that holds every field to the range written into its type."""
    return [
        field.evolve(validator=_within(bounds))
        if field.validator is None and (bounds := bounds_of(field.type)) is not None
        else field
        for field in fields
    ]
