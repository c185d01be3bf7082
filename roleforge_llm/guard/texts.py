"""Every text inside a message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import attrs

from roleforge_llm.messages import Json, Message

__all__ = ["changed"]

_KEPT = frozenset({"role", "type"})


def changed(
    message: Message, change: Callable[[str], str], change_extra: Callable[[str], str], *, keys: bool = False
) -> Message:
    """*message* with *change* made to all of its content, and *change_extra* to its further fields.

    What says what a part is stays. *keys* says that the keys of objects are changed as well.
    """
    content = _each_text(message.content, change, keys=keys)
    extra = _each_text(message.extra, change_extra, keys=keys)
    return attrs.evolve(
        message,
        content=cast("str | Sequence[Json] | None", content),
        extra=cast("Mapping[str, Json]", extra),
    )


def _each_text(value: Json, change: Callable[[str], str], *, keys: bool) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            change(key) if keys else key: item if key in _KEPT else _each_text(item, change, keys=keys)
            for key, item in value.items()
        }
    if isinstance(value, tuple):
        return tuple(_each_text(item, change, keys=keys) for item in value)
    if isinstance(value, list):
        return [_each_text(item, change, keys=keys) for item in value]
    return value
