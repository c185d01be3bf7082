"""Prompt formats: how a conversation becomes one text, and where a reply to it ends."""

from roleforge_llm.formats.base import Bos, PromptFormat, SystemTurns
from roleforge_llm.formats.comparison import Comparison, Difference, compare
from roleforge_llm.formats.linting import Finding, lint_format
from roleforge_llm.formats.lookup import DEFAULT_FORMAT, SERVER, FoundFormat, OfferedFormats, find_format
from roleforge_llm.formats.model import model_format
from roleforge_llm.formats.packaged import packaged_formats
from roleforge_llm.formats.served import ServedFormat, served_format
from roleforge_llm.formats.stops import StopCutter
from roleforge_llm.formats.template import TemplateFormat

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
    "StopCutter",
    "SystemTurns",
    "TemplateFormat",
    "compare",
    "find_format",
    "lint_format",
    "model_format",
    "served_format",
]
