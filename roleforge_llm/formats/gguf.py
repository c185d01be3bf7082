"""The metadata of a GGUF file: what is written before the weights. Layout: ggml's docs/gguf.md, versions 2 and 3."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from roleforge_llm.errors import FormatNotFound, TemplateError

__all__ = ["GgufValue", "read_gguf"]

GgufValue: TypeAlias = "bool | int | float | str | list[bool | int | float | str]"

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""struct's letter for each of GGUF's numbered types but text and list."""
_TEXT, _LIST = 8, 9

_MOST_KEYS = 65_536
_LONGEST_TEXT = 16 * 1024 * 1024
_LONGEST_LIST = 4_000_000


def read_gguf(path: Path, wanted: Callable[[str], bool]) -> Mapping[str, GgufValue]:
    """The values under the *wanted* keys; the others are skipped.

    Raises :class:`FormatNotFound` for a file that is not there and :class:`TemplateError` for one that is no
    GGUF, that ends too early, or that claims sizes which no model has.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).read(wanted)
    except (FileNotFoundError, NotADirectoryError):
        raise FormatNotFound(f"{path}: no such model file") from None
    except (OSError, ValueError) as error:
        raise TemplateError(f"{path}: cannot be read as a GGUF file: {error}") from None
    except struct.error:
        raise TemplateError(f"{path}: the GGUF file ends within its metadata; download it again") from None


class _Reader:
    """Walks through the metadata once. Raises ValueError, and struct.error at the end of the data."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def read(self, wanted: Callable[[str], bool]) -> dict[str, GgufValue]:
        if self._data[:4] != b"GGUF":
            raise ValueError("it does not begin with GGUF")
        self._at = 4
        version = self._number("I")
        if version not in {2, 3}:
            raise ValueError(f"its version is {version:#x}, and only 2 and 3 (little-endian) can be read")
        self._number("Q")  # the number of tensors
        found: dict[str, GgufValue] = {}
        for _ in range(self._bounded("keys", _MOST_KEYS)):
            key = self._text()
            if wanted(key):
                found[key] = self._value(self._number("I"))
            else:
                self._skip(self._number("I"))
        return found

    def _value(self, kind: int) -> GgufValue:
        if kind == _TEXT:
            return self._text()
        if kind != _LIST:
            return self._number(_letter(kind))
        kind = self._number("I")
        length = self._bounded("list items", _LONGEST_LIST)
        if kind == _TEXT:
            return [self._text() for _ in range(length)]
        return list(self._numbers(f"<{length}{_letter(kind)}"))

    def _skip(self, kind: int) -> None:
        if kind == _TEXT:
            self._move(self._bounded("bytes of text", _LONGEST_TEXT))
        elif kind != _LIST:
            self._move(struct.calcsize(_letter(kind)))
        else:
            kind = self._number("I")
            length = self._bounded("list items", _LONGEST_LIST)
            if kind == _TEXT:
                for _ in range(length):
                    self._skip(_TEXT)
            else:
                self._move(length * struct.calcsize(_letter(kind)))

    def _text(self) -> str:
        length = self._bounded("bytes of text", _LONGEST_TEXT)
        begin = self._at
        self._move(length)
        # A token may be a part of a character; what matters here, templates and markers, never is.
        return self._data[begin : self._at].decode("utf-8", "replace")

    def _bounded(self, what: str, most: int) -> int:
        count = self._number("Q")
        if count > most:
            raise ValueError(f"it claims {count} {what}, more than any model has")
        return count

    def _number(self, letter: str) -> int:
        value: int = self._numbers(f"<{letter}")[0]
        return value

    def _numbers(self, layout: str) -> tuple[int, ...]:
        begin = self._at
        self._move(struct.calcsize(layout))
        return struct.unpack_from(layout, self._data, begin)

    def _move(self, length: int) -> None:
        self._at += length
        if self._at > len(self._data):
            raise struct.error


def _letter(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError(f"it holds a value of the unknown type {kind}")
    return _SCALARS[kind]
