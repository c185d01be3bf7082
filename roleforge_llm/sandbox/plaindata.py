"""Plain data: all that a template ever holds of what its caller has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from roleforge_llm.errors import FormatError

__all__ = ["Plain", "plain"]

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


def plain(value: object, what: str) -> Plain:
    """A copy of *value* made of nothing but dicts with text keys, lists, texts, numbers, booleans and None.

    So no template ever holds an object of the caller's. Raises :class:`FormatError`, naming *what*.
    """
    try:
        return _plain(value, what)
    except RecursionError:
        raise FormatError(f"{what} is nested too deeply or contains itself") from None


def _plain(value: object, what: str) -> Plain:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key, what): _plain(item, what) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, what) for item in value]
    raise FormatError(f"{what} must be plain data (text, numbers, lists, objects), not {type(value).__name__}")


def _key(key: object, what: str) -> str:
    if not isinstance(key, str):
        raise FormatError(f"{what} has a key that is no text: {key!r:.60}")
    return str.__str__(key)
