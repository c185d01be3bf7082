"""The pieces of text in a template's source, found without compiling it."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["followers", "literals", "takes_apart"]

_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_TAG = re.compile(rf"\{{#.*?#\}}|\{{%(?:{_QUOTED}|[^'\"])*?%\}}|\{{\{{(?:{_QUOTED}|[^'\"])*?\}}\}}", re.DOTALL)
_STRING = re.compile(_QUOTED, re.DOTALL)
_HIDDEN = re.compile(r"\\[xuUN0-7]")
"""An escape in a string that stands for a character which the source does not show."""
_OPAQUE = re.compile(r"%|\b(?:format|replace|upper|lower|title|capitalize|swapcase|raw|filter)\b")
"""What fills texts in, changes them, or makes tags of no meaning."""
_OPERATION = re.compile(r"\||%|\w\s*\(|[\w)\]]\s*\[")


def literals(source: str) -> Sequence[str] | None:
    """Every text outside of tags and every string inside; None where these are not all that a template can write."""
    found = _TAG.split(source)
    tags = _TAG.findall(source)
    strings = [string for tag in tags if not tag.startswith("{#") for string in _STRING.findall(tag)]
    if any(map(_HIDDEN.search, strings)) or any(map(_OPAQUE.search, _code(source))):
        return None
    return [*found, *(string[1:-1].replace("\\n", "\n").replace("\\t", "\t") for string in strings)]


def followers(source: str) -> str | None:
    """The characters that stand right behind what a template puts in; None where that cannot be seen."""
    pieces, tags = _TAG.split(source), _TAG.findall(source)
    behind = [piece for tag, piece in zip(tags, pieces[1:], strict=True) if tag.startswith("{{")]
    if tags and tags[-1].startswith("{{") and not pieces[-1].strip("\n"):
        behind.pop()
    # Tags with a minus take away the white space beside them.
    trimmed = any(tag[2] == "-" or tag[-3] == "-" for tag in tags)
    if not all(behind) or (trimmed and any(piece[0].isspace() for piece in behind)):
        return None
    return "".join(piece[0] for piece in behind)


def takes_apart(source: str) -> bool:
    """Whether a template may do anything to texts but put them one after the other: filters, calls, slices."""
    return literals(source) is None or any(map(_OPERATION.search, _code(source)))


def _code(source: str) -> Sequence[str]:
    """What stands in tags, without strings."""
    return [_STRING.sub("''", tag[2:-2]) for tag in _TAG.findall(source) if not tag.startswith("{#")]
