"""Prompt formats: how a conversation becomes one text, and where a reply to it ends."""

from roleforge_llm.formats.base import Bos, PromptFormat, SystemTurns
from roleforge_llm.formats.lookup import DEFAULT_FORMAT, FoundFormat, OfferedFormats, find_format
from roleforge_llm.formats.stops import StopCutter
from roleforge_llm.formats.template import TemplateFormat

__all__ = [
    "DEFAULT_FORMAT",
    "Bos",
    "FoundFormat",
    "OfferedFormats",
    "PromptFormat",
    "StopCutter",
    "SystemTurns",
    "TemplateFormat",
    "find_format",
]
