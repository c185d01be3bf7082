"""What was worked out for a sequence, remembered for the next one that begins with it: a chat grows by one turn.

To remember all of a sequence takes time, too, and most are never seen again. So of one that is new only its
beginning is remembered, by which the next one is known to go on from there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import attrs

__all__ = ["LEAST", "Known", "Prefixes", "worth"]

LEAST = 32
"""Items that make a beginning. Working so few out again takes no longer than looking them up."""

_KEPT = 8
_MOST = 4_000_000
"""Characters of text that are remembered altogether."""

T = TypeVar("T")
V = TypeVar("V")


@attrs.frozen(eq=False)
class Known(Generic[V]):
    """*value* was worked out for *items*, which hold or stand for *size* characters."""

    key: object
    items: Sequence[object]
    value: V
    size: int


class Prefixes(Generic[V]):
    """Remembers the last few sequences, each with a value, as far as there is room.

    Safe in any thread and after a fork, without a lock: what is remembered is only ever replaced as a whole, and
    two threads that do so at once forget one of their sequences.
    """

    def __init__(self, alike: Callable[[object, object], bool] = operator.eq) -> None:
        self._alike = alike
        """Whether two first items are the same: most sequences differ in these, so that it should be quick."""
        self._all: tuple[Known[V], ...] = ()

    def find(self, key: object, items: Sequence[object]) -> tuple[int, Known[V] | None]:
        """The sequence under *key* that begins most like *items*, and how many items they have in common.

        Raises whatever comparing *items* does.
        """
        most, found = 0, None
        for known in self._all:
            if known.key is key and self._alike(known.items[0], items[0]):
                count = _common(known.items, items)
                most, found = (count, known) if count > most else (most, found)
        return most, found

    def keep(self, known: Known[V], earlier: Known[V] | None, count: int) -> None:
        """Remember *known*, in the place of an *earlier* one if its *count* common items are all that this had."""
        replaced = earlier if earlier is not None and count == len(earlier.items) else None
        kept = [known, *(other for other in self._all if other is not replaced)][:_KEPT]
        while kept and sum(each.size for each in kept) > _MOST:
            kept.pop()
        self._all = tuple(kept)


def worth(count: int, items: Sequence[T]) -> Sequence[T]:
    """Those of *items* that are worth remembering, the first *count* of which are known: all, or a beginning."""
    return items if count >= LEAST else items[:LEAST]


def _common(ours: Sequence[object], theirs: Sequence[object]) -> int:
    """How many items both begin with."""
    length = min(len(ours), len(theirs))
    if ours[:length] == theirs[:length]:  # in one comparison, which passes over what is the very same object
        return length
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((index for index, (own, other) in pairs if own is not other and own != other), length)
