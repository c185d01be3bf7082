"""The pieces of text in a template's source, found without compiling it."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["literals", "takes_apart"]

_TAG = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_HIDDEN = re.compile(r"\\[xuUN0-7]")
"""An escape in a string that stands for a character which the source does not show."""


def literals(source: str) -> Sequence[str] | None:
    """Every text outside of tags and every string inside; None where a string hides what it holds."""
    found = _TAG.split(source)
    for tag in _TAG.findall(source):
        strings = [] if tag.startswith("{#") else _STRING.findall(tag)
        if any(map(_HIDDEN.search, strings)):
            return None
        found += [string[1:-1].replace("\\n", "\n").replace("\\t", "\t") for string in strings]
    return found


_OPERATION = re.compile(r"\||%|\w\s*\(|[\w)\]]\s*\[")
_FILTERS = re.compile(r"\{%[-+]?\s*filter\b")


def takes_apart(source: str) -> bool:
    """Whether a template does anything to texts besides putting them one after the other: filters, calls, slices."""
    tags = (_STRING.sub("", tag) for tag in _TAG.findall(source) if not tag.startswith("{#"))
    return any(_OPERATION.search(tag[2:-2]) or _FILTERS.match(tag) for tag in tags)
