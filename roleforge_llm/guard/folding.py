"""One character as a lenient reader sees it: compatibility forms, marks and invisible characters folded away."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache

__all__ = ["fold", "fold_case", "variants"]

_IGNORED = frozenset({"Mn", "Me", "Cf", "Cc"})
_BLANK_LETTERS = "\u115f\u1160\u3164\uffa0"
"""Fillers of Hangul: letters to Unicode, nothing to the eye."""

_BLOCKS = (
    (0x20, 0x250),
    (0x2B0, 0x400),
    (0x1D00, 0x2500),
    (0x2A00, 0x2B00),
    (0x2C00, 0x2E00),
    (0x3200, 0x3400),
    (0xA700, 0xA800),
    (0xFB00, 0xFB2A),
    (0xFE00, 0x10000),
    (0x10700, 0x10800),
    (0x1D400, 0x1D800),
    (0x1F100, 0x1F200),
    (0x1FB00, 0x1FC00),
)
"""Every block of Unicode with a character that folds to ASCII; a test holds this to the whole of Unicode."""


@lru_cache(maxsize=4096)
def fold(character: str) -> str:
    """*character* decomposed by compatibility; one space for white space, nothing for what is invisible."""
    return "".join(map(_visible, unicodedata.normalize("NFKD", character)))


@lru_cache(maxsize=4096)
def fold_case(character: str) -> str:
    """:func:`fold`, and upper and lower case alike."""
    return "".join(map(fold, unicodedata.normalize("NFKD", character).casefold()))


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _IGNORED or character in _BLANK_LETTERS else character


def variants(character: str, *, caseless: bool) -> str:
    """Every character whose folded form contains *character* (itself folded), that one first."""
    found = _by_folded(caseless).get(character, "")
    return character + found.replace(character, "")


@cache
def _by_folded(caseless: bool) -> Mapping[str, str]:
    # Normalised in one piece, which is ten times as fast as one by one; a line break stops any composition.
    everything = "".join(map(chr, (point for low, high in _BLOCKS for point in range(low, high))))
    folded = unicodedata.normalize("NFKD", "\n".join(everything))
    if caseless:
        folded = unicodedata.normalize("NFKD", folded.casefold())
    found: dict[str, str] = {}
    for character, parts in zip(everything, folded.split("\n"), strict=True):
        if parts != character:  # nearly every one folds to itself
            for part in parts:
                if part < "\x7f" and part != " ":
                    found[part] = found.get(part, "") + character
    return found
