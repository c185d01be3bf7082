"""Prompt formats: how a conversation becomes one text, and where a reply to it ends.

What only some programs need (models' own templates, comparing, linting) is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from roleforge_llm.formats.base import Bos, PromptFormat, SystemTurns
from roleforge_llm.formats.lookup import DEFAULT_FORMAT, SERVER, FoundFormat, OfferedFormats, find_format
from roleforge_llm.formats.packaged import packaged_formats
from roleforge_llm.formats.stops import StopCutter
from roleforge_llm.formats.template import TemplateFormat

if TYPE_CHECKING:
    from roleforge_llm.formats.comparison import Comparison, Difference, compare
    from roleforge_llm.formats.linting import Finding, lint_format
    from roleforge_llm.formats.model import model_format
    from roleforge_llm.formats.served import ServedFormat, ServerRendering, served_format

__all__ = [
    "DEFAULT_FORMAT",
    "SERVER",
    "Bos",
    "Comparison",
    "Difference",
    "Finding",
    "FoundFormat",
    "OfferedFormats",
    "PromptFormat",
    "ServedFormat",
    "ServerRendering",
    "StopCutter",
    "SystemTurns",
    "TemplateFormat",
    "compare",
    "find_format",
    "lint_format",
    "model_format",
    "packaged_formats",
    "served_format",
]

_LATE = {
    "Comparison": "comparison",
    "Difference": "comparison",
    "Finding": "linting",
    "ServedFormat": "served",
    "ServerRendering": "served",
    "compare": "comparison",
    "lint_format": "linting",
    "model_format": "model",
    "served_format": "served",
}


def __getattr__(name: str) -> object:
    if (module := _LATE.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
