"""The prompt format ``brackets``."""

from collections.abc import Iterable
from pathlib import Path

from roleforge_llm import PromptFormat, TemplateFormat, hookimpl


@hookimpl
def roleforge_formats() -> Iterable[PromptFormat]:
    return [TemplateFormat.from_file(Path(__file__).with_name("brackets.jinja"))]
