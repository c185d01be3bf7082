"""Markers of turns: finding them in a text, escaping them, and undoing that.

A marker is found on a folded view of the text. Token-shaped ones (``<|im_end|>``, ``[INST]``) in any case;
word markers (``USER:``, ``### Input:``) in their own case, at a word boundary, with any or no white space
for each of their spaces. An escape is a backslash after the first character. Backslashes that stand there
already do not hide a marker from the escape, which is what makes it reversible: every occurrence gets one
more, and undoing takes one away.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence

from roleforge_llm.guard.folding import fold, fold_case, variants

__all__ = ["Markers"]

_TOKEN = re.compile(r"[<\[{]\S*[>\]}]")
_ESCAPE = "\\"


class Markers:
    """The markers of one format. *texts* are stripped of white space; what is then empty is no marker."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(sorted({text.strip() for text in texts} - {""}))
        tokens = [text for text in self.texts if _TOKEN.fullmatch(text)]
        words = [text for text in self.texts if not _TOKEN.fullmatch(text)]
        self._families = [
            _Family(members, caseless) for members, caseless in ((tokens, True), (words, False)) if members
        ]
        self._first = "".join(dict.fromkeys("".join(family.first for family in self._families)))

    def may_begin_in(self, text: str) -> bool:
        """Whether *text* has a character that a marker could begin with: a quick question with few false alarms."""
        return any(character in text for character in self._first)

    def starts(self, text: str) -> list[int]:
        """Where markers begin in *text*, escaped ones included."""
        if len(self._families) == 1:
            return self._families[0].starts(text)
        return sorted({start for family in self._families for start in family.starts(text)})

    def escape(self, text: str) -> str:
        """*text* with a backslash inside each marker."""
        starts = self.starts(text)
        if not starts:
            return text
        ends = [0, *(start + 1 for start in starts), len(text)]
        return _ESCAPE.join(text[begin:end] for begin, end in itertools.pairwise(ends))

    def unescape(self, text: str) -> str:
        """What :meth:`escape` made *text* from."""
        escaped = [start + 1 for start in self.starts(text) if text.startswith(_ESCAPE, start + 1)]
        begins = [0, *(position + 1 for position in escaped)]
        return "".join(text[begin:end] for begin, end in zip(begins, [*escaped, len(text)], strict=True))

    def sequence(self, text: str) -> tuple[Sequence[int], ...]:
        """The markers that a lenient reader finds in *text*, in order, as numbers; escaped ones are none."""
        return tuple(family.sequence(text) for family in self._families)

    def leaves_open(self, source: str) -> bool:
        """Whether a literal in a template's *source* ends within a marker, which content could then complete."""
        return any(family.leaves_open(source) for family in self._families)


class _Family:
    """Markers that are read in the same way."""

    def __init__(self, markers: Sequence[str], caseless: bool) -> None:
        self._fold: Callable[[str], str] = fold_case if caseless else fold
        longest_first = sorted(markers, key=len, reverse=True)
        self._numbers: dict[str, int] = {}
        for number, marker in enumerate(longest_first, 1):
            for spelling in _spellings("".join(map(self._fold, marker))):
                self._numbers.setdefault(spelling, number)
        self._beginnings = {spelling[:end] for spelling in self._numbers for end in range(1, len(spelling) + 1)}
        heads = dict.fromkeys(spelling[0] for spelling in self._numbers)
        self.first = "".join(dict.fromkeys("".join(variants(head, caseless=caseless) for head in heads)))
        begin, follow = f"[{re.escape(self.first)}]", self._following()
        exact = "".join(f"{_preceding(marker[0])}(?={re.escape(marker[1:])})()|" for marker in longest_first)
        self._candidates = re.compile(begin + follow)
        self._markers = re.compile(f"{begin}(?:{exact}{follow})")

    def _following(self) -> str:
        """A look-ahead for what can follow the first character: a second one, or something unusual."""
        if any(len(spelling) == 1 for spelling in self._numbers):
            return ""
        second = {spelling[1] for spelling in self._numbers}
        second |= {character.upper() for character in second if self._fold is fold_case}
        space = r"\s" if " " in second else ""
        return rf"(?=[{re.escape(''.join(sorted(second)))}{space}\\]|[^\x20-\x7e\t\n\r])"

    def starts(self, text: str) -> list[int]:
        return [
            start for match in self._candidates.finditer(text) if self._at(text, start := match.start(), _ESCAPE)
        ]

    def sequence(self, text: str) -> Sequence[int]:
        return [
            number
            for match in self._markers.finditer(text)
            if (number := match.lastindex or self._at(text, match.start(), ""))
        ]

    def _at(self, text: str, start: int, skipped: str) -> int:
        """The number of the marker that begins at *start*, its longest; 0 if none does."""
        head = self._fold(text[start])
        before = text[start - 1] if start else ""
        for offset, character in enumerate(head):
            if not (_in_word(before) and _in_word(character)) and (
                number := self._read(text, start + 1, head[offset:], skipped)
            ):
                return number
            before = character
        return 0

    def _read(self, text: str, at: int, folded: str, skipped: str) -> int:
        """The marker that *folded*, and *text* from *at* on, begin with."""
        while folded in self._beginnings and at < len(text):
            piece = "" if text[at] == skipped else self._fold(text[at])
            folded += "" if piece == " " and folded.endswith(" ") else piece
            at += 1
        return next(filter(None, (self._numbers.get(folded[:end]) for end in range(len(folded), 0, -1))), 0)

    def leaves_open(self, source: str) -> bool:
        return any(self._ends_within(source, match.start()) for match in re.finditer(f"[{re.escape(self.first)}]", source))

    def _ends_within(self, source: str, at: int) -> bool:
        folded = ""
        for character in source[at:]:
            if character in "{'\"\\":
                return True
            piece = self._fold(character)
            folded += "" if piece == " " and folded.endswith(" ") else piece
            if folded not in self._beginnings:
                return False
            if folded in self._numbers and not self._goes_on(folded):
                return False
        return True

    def _goes_on(self, folded: str) -> bool:
        return any(other.startswith(folded) for other in self._beginnings if len(other) > len(folded))


def _spellings(folded: str) -> Iterable[str]:
    """*folded* with and without each of its spaces."""
    parts = re.split(" +", folded)
    for spaces in itertools.product((" ", ""), repeat=len(parts) - 1):
        yield "".join(itertools.chain.from_iterable(itertools.zip_longest(parts, spaces, fillvalue="")))


def _preceding(head: str) -> str:
    boundary = rf"(?<!\w{head})" if _in_word(head) else ""
    return f"(?<={re.escape(head)}){boundary}"


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
