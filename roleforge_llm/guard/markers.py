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
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum

from roleforge_llm.guard.folding import fold, fold_case, variants

__all__ = ["Markers", "Touch"]

_TOKEN = re.compile(r"[<\[{]\S*[>\]}]")
_ESCAPE = "\\"
_END = "\0"
"""Stands between texts; no message can hold it."""
_OPEN = -1


class Touch(IntEnum):
    """What a text has to do with markers."""

    NONE = 0
    ENDS = 1
    """It ends within one."""
    JOINS = 2
    """It ends within one that a line break does not interrupt."""
    HOLDS = 3


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

    def touching(self, texts: str) -> Touch:
        """The worst that one of *texts*, joined by NUL, does."""
        return max((family.touching(texts) for family in self._families), default=Touch.NONE)

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

    def may_go_on_with(self, characters: str) -> bool:
        """Whether one of *characters* stands in a marker, but for its beginning."""
        return any(family.may_go_on_with(characters) for family in self._families)

    def may_go_on(self, text: str) -> bool:
        """Whether *text* ends within a marker, which what follows could then complete."""
        return any(family.may_go_on(text) for family in self._families)


class _Family:
    """Markers that are read in the same way."""

    def __init__(self, markers: Sequence[str], caseless: bool) -> None:
        self._fold: Callable[[str], str] = fold_case if caseless else fold
        self._longest_first = sorted(markers, key=len, reverse=True)
        self._numbers: dict[str, int] = {}
        for number, marker in enumerate(self._longest_first, 1):
            for spelling in _spellings("".join(map(self._fold, marker))):
                self._numbers.setdefault(spelling, number)
        self._beginnings = {spelling[:end] for spelling in self._numbers for end in range(1, len(spelling) + 1)}
        heads = dict.fromkeys(spelling[0] for spelling in self._numbers)
        self.first = "".join(dict.fromkeys("".join(variants(head, caseless=caseless) for head in heads)))
        self._follow = self._following()
        self._searches: dict[str, re.Pattern[str]] = {}
        self._exact: dict[str, re.Pattern[str]] = {}
        self._has_spaces = any(" " in spelling for spelling in self._numbers)

    def _following(self) -> str:
        """A look-ahead for what can follow the first character: a second one, or something unusual."""
        if any(len(spelling) == 1 for spelling in self._numbers):
            return ""
        second = {spelling[1] for spelling in self._numbers}
        second |= {character.upper() for character in second if self._fold is fold_case}
        space = r"\s" if " " in second else ""
        return rf"(?=[{re.escape(''.join(sorted(second)))}{space}\\]|[^\x20-\x7e\t\n\r])"

    def _candidates(self, text: str) -> Iterator[int]:
        """Where a marker could begin, by the first two characters."""
        heads = self._heads_in(text)
        if not heads:
            return iter(())
        if (search := self._searches.get(heads)) is None:
            search = self._searches[heads] = re.compile(f"[{re.escape(heads)}]{self._follow}")
        return (match.start() for match in search.finditer(text))

    def starts(self, text: str) -> list[int]:
        return [start for start in self._candidates(text) if self._at(text, start, _ESCAPE)]

    def touching(self, texts: str) -> Touch:
        worst = Touch.NONE
        for start in self._candidates(texts):
            found = self._at(texts, start, _ESCAPE)
            if found > 0:
                return Touch.HOLDS
            if found == _OPEN:
                worst = Touch.JOINS if self._has_spaces else Touch.ENDS
        return worst

    def sequence(self, text: str) -> Sequence[int]:
        heads = self._heads_in(text)
        if not heads:
            return []
        if (search := self._exact.get(heads)) is None:
            search = self._exact[heads] = re.compile(self._exact_pattern(heads))
        return [
            number
            for match in search.finditer(text)
            if (number := match.lastindex or self._at(text, match.start(), ""))
        ]

    def _exact_pattern(self, heads: str) -> str:
        """A marker as it is written, its number being the group's; or else what :meth:`_at` must look at."""
        alternatives = [
            f"{_preceding(marker[0], among=heads)}(?={re.escape(marker[1:])})()" if marker[0] in heads else "()(?!)"
            for marker in self._longest_first
        ]
        return f"[{re.escape(heads)}](?:{'|'.join([*alternatives, self._follow])})"

    def _heads_in(self, text: str) -> str:
        # A search for one character is several times as fast as one for any of them.
        return "".join(head for head in self.first if head in text)

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
        """The marker that *folded*, and *text* from *at* on, begin with; what ends at NUL may be any."""
        otherwise = 0
        while folded in self._beginnings and at < len(text):
            if text[at] == _END:
                otherwise = _OPEN
                break
            piece = "" if text[at] == skipped else self._fold(text[at])
            folded += "" if piece == " " and folded.endswith(" ") else piece
            at += 1
        found = (self._numbers.get(folded[:end]) for end in range(len(folded), 0, -1))
        return next(filter(None, found), otherwise)

    def may_go_on_with(self, characters: str) -> bool:
        folded = "".join(map(self._fold, characters))
        return any(character in spelling[1:] for character in folded for spelling in self._numbers)

    def may_go_on(self, text: str) -> bool:
        """Whether a beginning of a marker stands at the end of *text*."""
        heads = re.finditer(f"[{re.escape(self.first)}]", text)
        return any(self._is_beginning(text[match.start() :]) for match in heads)

    def _is_beginning(self, text: str) -> bool:
        folded = re.sub(" +", " ", "".join(map(self._fold, text)))
        return any(len(spelling) > len(folded) and spelling.startswith(folded) for spelling in self._numbers)


def _spellings(folded: str) -> Iterable[str]:
    """*folded* with and without each of its spaces."""
    parts = re.split(" +", folded)
    for spaces in itertools.product((" ", ""), repeat=len(parts) - 1):
        yield "".join(itertools.chain.from_iterable(itertools.zip_longest(parts, spaces, fillvalue="")))


def _preceding(head: str, among: str) -> str:
    """A look-behind: that the character just read is *head*, and that it begins a word if it can."""
    is_head = f"(?<={re.escape(head)})" if among != head else ""
    return rf"{is_head}(?<!\w{head})" if _in_word(head) else is_head


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
