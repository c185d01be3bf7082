"""Every text inside a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roleforge_llm.messages import Json

__all__ = ["each_text"]

_KEPT = frozenset({"role", "type"})


def each_text(value: Json, change: Callable[[str], str], *, keys: bool = False) -> Json:
    """*value* with *change* made to every text in it, but for those that say what a part is.

    *keys* says that the keys of objects are changed as well.
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            change(key) if keys else key: item if key in _KEPT else each_text(item, change, keys=keys)
            for key, item in value.items()
        }
    if isinstance(value, tuple):
        return tuple(each_text(item, change, keys=keys) for item in value)
    if isinstance(value, list):
        return [each_text(item, change, keys=keys) for item in value]
    return value
