"""Which input lines an output already answers: five bytes for each line, four of them its checksum."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable

from roleforge_llm.batch.lines import Line
from roleforge_llm.errors import BatchError

__all__ = ["Answered", "head_of_a_row"]

_HEAD = re.compile(rb'\{"line": (\d{1,10}), "checksum": "([0-9a-f]{8})", "ok": (true|false), ')
_BEGINNING = b'{"line": '


def head_of_a_row(row: bytes) -> tuple[int, int, bool] | None:
    """(line, checksum, ok) of a row of an output; None for what is none."""
    match = _HEAD.match(row)
    if match is None or not row.rstrip(b"\r\n").endswith(b"}"):
        return None
    return int(match[1]), int(match[2], 16), match[3] == b"true"


class Answered:
    """The lines that have a row in the output, and whether the input still has the same lines.

    ``count`` is how many there are, ``failed`` how many of them have an error, ``last`` the number of the last one.
    """

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0
        self.last = 0
        self._bits = bytearray()
        self._checksums = array("I")

    @classmethod
    def of(cls, rows: Iterable[bytes], name: str) -> tuple[Answered, int]:
        """What the *rows* of the output *name* answer, and the bytes of those that are whole.

        A last row without its end was torn off by a kill, and counts as not there. Raises :class:`BatchError` for a
        file that is no output of a batch.
        """
        found, whole = cls(), 0
        for number, row in enumerate(rows, 1):
            if not row.endswith(b"\n") and _is_torn(row):
                break
            head = head_of_a_row(row)
            if head is None or not row.endswith(b"\n"):
                raise BatchError(f"{name}: line {number} is no row of a batch; this file cannot be resumed")
            found.add(*head)
            whole += len(row)
        return found, whole

    def add(self, line: int, checksum: int, ok: bool) -> None:
        """*line* has a row."""
        if line >= len(self._bits) * 8:
            self._bits.extend(bytes(line // 8 + 1 + len(self._bits) // 8 - len(self._bits)))
            self._checksums.extend([0] * (len(self._bits) * 8 - len(self._checksums)))
        self.count += not self._has(line)
        self.failed += not ok
        self.last = max(self.last, line)
        self._bits[line // 8] |= 1 << line % 8
        self._checksums[line] = checksum

    def _has(self, line: int) -> bool:
        return bool(self._bits[line // 8] & 1 << line % 8)

    def has(self, line: Line) -> bool:
        """Whether *line* is answered. Raises :class:`BatchError` where the answer belongs to another line."""
        number = line.number
        if number > self.last or not self._has(number):
            return False
        if self._checksums[number] != line.crc:
            raise BatchError(f"{_OTHER}: line {number} is not the one that was answered; {_CURE}")
        return True

    def check(self, lines: Iterable[Line]) -> None:
        """Compare the whole input up to the last line that is answered. Raises :class:`BatchError`."""
        matched = 0
        for line in lines:
            matched += self.has(line)
            if line.number >= self.last:
                break
        self.check_count(matched)

    def check_count(self, matched: int) -> None:
        """Raises :class:`BatchError` where the input has ended after *matched* answered lines, and more are."""
        if matched < self.count:
            raise BatchError(f"{_OTHER}: {self.count - matched} of its answered lines are missing; {_CURE}")


_OTHER = "the output belongs to another input"
_CURE = "resume with the same input, or write to another file"


def _is_torn(row: bytes) -> bool:
    """Whether *row*, which has no end, is the beginning of one of ours (or nothing but what a crash leaves)."""
    begun = row.rstrip(b"\0")
    return _BEGINNING.startswith(begun[: len(_BEGINNING)])
