"""The built-in prompt formats: one template each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from roleforge_llm import PromptFormat
from roleforge_llm.formats import packaged_formats

_PACKAGED = Path(__file__).parent / "templates"
TEMPLATES = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "templates"
"""Where the templates are: beside this file in an installed wheel, at the top of a checkout."""


def builtin_formats() -> Sequence[PromptFormat]:
    """A format for each template file, in the order of their names."""
    return packaged_formats(TEMPLATES)
