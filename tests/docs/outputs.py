"""Comparing what a page shows with what really came out."""

from __future__ import annotations

import difflib
import re

__all__ = ["difference"]


def difference(shown: str, real: str) -> str | None:
    """None if *real* is what *shown* says, else a diff.

    ``...`` stands for any text within a line, and alone on a line for any number of lines. White space at the
    ends of lines, and blank lines at both ends, do not count.
    """
    shown_lines, real_lines = _lines(shown), _lines(real)
    pattern = "".join(map(_pattern, shown_lines))
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in real_lines)) is not None:
        return None
    return "\n".join(difflib.unified_diff(shown_lines, real_lines, "shown", "real", lineterm=""))


def _pattern(line: str) -> str:
    if line == "...":
        return r"(?:.*\n)*?"
    return ".*?".join(map(re.escape, line.split("..."))) + r"\n"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]
