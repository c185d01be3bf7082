"""What one rendering may cost, and what a value weighs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

__all__ = ["CONTAINERS", "ITERATORS", "SIZED", "VALUE_DEPTH", "VIEWS", "Budget"]

WORK: Final = 3_000_000
"""Small operations, each of about 100 ns, that any template may do."""
MEMORY: Final = 24 << 20
"""Bytes that any template may allocate, all values added up, those let go again included."""
MOST_WORK: Final = 4 * WORK
"""The same for the longest of conversations: what is read from the caller may be worked on."""
MOST_MEMORY: Final = 4 * MEMORY
CALL_DEPTH: Final = 60
VALUE_DEPTH: Final = 60

VIEWS: Final[tuple[type[Collection[Any]], ...]] = (type({}.keys()), type({}.values()), type({}.items()))
ITERATORS: Final[tuple[type[Any], ...]] = (type(iter([])), type(reversed([])))
CONTAINERS: Final[tuple[type[Collection[Any]], ...]] = (dict, list, tuple, *VIEWS)
SIZED: Final[tuple[type[Collection[Any]], ...]] = (*CONTAINERS, range)


class Budget:
    """What is left to one rendering. Spending more than that raises :class:`SecurityError`.

    *variables* are what the template is given. They are weighed only when the first allowance is used up: a
    long conversation may cost more than a short one.
    """

    __slots__ = ("_depth", "_variables", "memory", "work")

    def __init__(self, variables: Mapping[str, object]) -> None:
        self.work = WORK
        self.memory = MEMORY
        self._depth = CALL_DEPTH
        self._variables: Mapping[str, object] | None = variables

    def spend(self, work: int, memory: int = 0) -> None:
        """Pay for what is about to be done: *work* in small operations, *memory* in bytes.

        Prices may come from a template's own numbers. One below zero is no gift, and "not a number" no licence.
        """
        self.work -= abs(work)
        self.memory -= abs(memory)
        if not (self.work >= 0 and self.memory >= 0):
            self.exceeded()

    def toll(self, work: int, memory: int) -> None:
        """:meth:`spend` for prices that the compiler worked out."""
        self.work -= work
        self.memory -= memory
        if self.work < 0 or self.memory < 0:
            self.exceeded()

    def exceeded(self) -> None:
        """Called when either is below zero: allows for the size of the conversation, once, or raises."""
        if self._variables is not None:
            size = _size(self._variables)
            self._variables = None
            self.work += min(20 * size, MOST_WORK - WORK)
            self.memory += min(64 * size, MOST_MEMORY - MEMORY)
        if not self.work >= 0:
            raise SecurityError("the template does too much work; it was stopped")
        if not self.memory >= 0:
            allowed = f"{MEMORY >> 20} MiB, and up to {MOST_MEMORY >> 20} MiB for a long conversation"
            raise SecurityError(f"the template needs too much memory (allowed are {allowed}); it was stopped")

    def enter(self) -> None:
        """One call deeper."""
        self._depth -= 1
        if self._depth < 0:
            raise SecurityError("the template's macros or loops call themselves too deeply")

    def leave(self) -> None:
        """Back from a call."""
        self._depth += 1

    def characters(self, text: str, times: int = 1) -> None:
        """Pay for *times* as many characters as *text* has, as wide as any of its may be."""
        size = len(text) * times if text.isascii() else 4 * len(text) * times
        self.spend(0, size + 64)

    def joining(self, separator: str, parts: Collection[str]) -> None:
        """Pay for *separator* between *parts*, which are paid for."""
        wide = not all(map(str.isascii, parts))
        self.spend(len(parts), len(separator) * len(parts) * (4 if wide or not separator.isascii() else 1) + 64)

    def padding(self, text: str, width: int) -> None:
        """Pay for *text* filled up to *width* characters."""
        self.spend(1, 4 * (len(text) + max(width, 0)) + 64)

    def read(self, text: str, passes: int = 1) -> None:
        """Pay for reading through *text*."""
        self.work -= len(text) * passes >> 6
        if self.work < 0:
            self.exceeded()

    def items(self, values: Any) -> list[Any]:
        """The list of all that *values* yields, paid for. Raises TypeError for what cannot be gone through."""
        if isinstance(values, str):
            self.spend(len(values), 8 * len(values) if values.isascii() else 88 * len(values))
        elif isinstance(values, SIZED):
            self.spend(len(values), 40 * len(values))
        elif isinstance(values, ITERATORS):
            self.spend(values.__length_hint__(), 8 * values.__length_hint__())
        elif not isinstance(values, Undefined):
            raise TypeError(f"{type(values).__name__!r} object is not iterable")
        return list(values)

    def weigh(self, value: object, depth: int = VALUE_DEPTH) -> int:
        """About the bytes of the texts in *value*, after paying for a walk through it.

        To be asked before anything walks through a value without paying: writing, comparing, sorting.
        Raises :class:`SecurityError` for a value that is nested too deeply or is no plain data.
        """
        if isinstance(value, str):
            return len(value) if value.isascii() else 4 * len(value)
        if isinstance(value, int):
            return 24 + (value.bit_length() >> 2)
        if value is None or isinstance(value, (float, Undefined, range)):
            return 48
        if not isinstance(value, CONTAINERS):
            raise SecurityError(f"a {type(value).__name__} is no plain data: it can be neither written nor compared")
        if not depth:
            raise SecurityError("the template nests values too deeply")
        self.spend(5 + 5 * len(value))
        return sum(self.weigh(part, depth - 1) + 8 for part in _parts(value))


def _parts(value: Iterable[object]) -> Iterable[object]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    return value


def _size(variables: Mapping[str, object]) -> int:
    """About the bytes of what the caller gave, which is a tree and no bigger than the caller's own."""
    size = 0
    rest: list[object] = list(variables.values())
    while rest:
        value = rest.pop()
        if isinstance(value, str):
            size += len(value) if value.isascii() else 4 * len(value)
        elif isinstance(value, (dict, list)):
            rest.extend(_parts(value))
        size += 64
    return size
