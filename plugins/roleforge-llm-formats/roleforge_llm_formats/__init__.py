"""A library of prompt formats: one template for each file of the folder ``templates``, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from roleforge_llm import hookimpl

if TYPE_CHECKING:
    from roleforge_llm import PromptFormat

__all__ = ["TEMPLATES", "roleforge_formats"]

TEMPLATES = Path(__file__).parent / "templates"
"""Where the templates are; a format is called what its file is called."""


@hookimpl
def roleforge_formats() -> Iterable[PromptFormat]:
    """A format for each template file, in the order of their names."""
    from roleforge_llm.formats import packaged_formats

    return packaged_formats(TEMPLATES)
