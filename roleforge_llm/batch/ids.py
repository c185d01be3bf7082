"""Which ids a batch has seen, in eight bytes for each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b

from roleforge_llm.errors import RowError

__all__ = ["SeenIds"]

_SHARDS = 4096


class SeenIds:
    """Remembers ids by a hash of 64 bits.

    A set of ten million texts takes more than a gigabyte; this takes some 100 MB. Sorted arrays, many of them, so that
    putting one in moves few bytes. Two different ids with one hash would be taken for the same: the probability that
    there is any such pair is 3e-8 for a million ids and 3e-4 for a hundred million.
    """

    def __init__(self) -> None:
        self._shards = [array("Q") for _ in range(_SHARDS)]

    def check(self, row_id: str | int) -> None:
        """Note *row_id*. Raises :class:`RowError` if it was noted before. A text and a number are different ids."""
        if not self._add(row_id):
            raise RowError(f"the id {row_id!r:.80} stands in an earlier row, too", "duplicate-id", row_id)

    def _add(self, row_id: str | int) -> bool:
        key = f"{row_id:x}" if isinstance(row_id, int) else f'"{row_id}'
        number = int.from_bytes(blake2b(key.encode(), digest_size=8).digest())
        shard = self._shards[number % _SHARDS]
        at = bisect_left(shard, number)
        if at < len(shard) and shard[at] == number:
            return False
        shard.insert(at, number)
        return True
