"""The formats of a folder of native templates that come with a plugin.

To list a hundred formats, their first lines are enough: a template is parsed when it is first rendered, and
a plugin's own tests have done that before. What is not written plainly is left to the whole parser.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import cast

from roleforge_llm.formats.fields import CHOICES, LISTS, TEXTS, Metadata
from roleforge_llm.formats.template import TemplateFormat, read_text

__all__ = ["packaged_formats"]

_NAMES = "|".join([*LISTS, *TEXTS, *CHOICES])
_SET = re.compile(rf"set\s+(?:{_NAMES})\b")
_LINE = re.compile(rf"\{{% set ({_NAMES}) = (.*) %\}}\n")
# Escapes that mean the same in JSON and in Jinja.
_PLAIN = re.compile(r'[^\\]*(?:\\[nt"\\][^\\]*)*')


def packaged_formats(folder: str | Path) -> list[TemplateFormat]:
    """A format for each native template in *folder*, in the order of their names.

    Raises :class:`TemplateError` for a template whose metadata is wrong, and OSError for a folder that cannot be read.
    Wrong syntax below the metadata is an error of the first rendering.
    """
    names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".jinja"))
    return [_format(Path(folder, name)) for name in names]


def _format(path: Path) -> TemplateFormat:
    text = read_text(path)
    metadata = _first_lines(text)
    if metadata is None:
        return TemplateFormat.from_file(path, dialect="native")
    return TemplateFormat(path.stem, text, "native", str(path), path, **metadata)


def _first_lines(text: str) -> Metadata | None:
    """The metadata, if all of it is written plainly in the first lines."""
    found: dict[str, object] = {}
    at = 0
    while line := _LINE.match(text, at):
        if not _read(line[1], line[2], found):
            return None
        at = line.end()
    return None if _SET.search(text, at) else cast("Metadata", found)


def _read(name: str, value: str, found: dict[str, object]) -> bool:
    if "\\" in value and not _PLAIN.fullmatch(value):
        return False
    try:
        read = json.loads(value)
    except ValueError:
        return False
    if name in LISTS and isinstance(read, list) and all(isinstance(item, str) for item in read):
        found[LISTS[name]] = tuple(dict.fromkeys(item for item in read if item))
    elif (name in TEXTS and isinstance(read, str)) or read in CHOICES.get(name, ()):
        found[name] = read
    else:
        return False
    return True
