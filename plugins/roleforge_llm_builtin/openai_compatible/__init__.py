"""The backend for every server that speaks OpenAI's API. Importing this loads no HTTP library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roleforge_llm_builtin.openai_compatible.capabilities import capabilities
from roleforge_llm_builtin.openai_compatible.discovery import discover

if TYPE_CHECKING:
    from roleforge_llm_builtin.openai_compatible.backend import OpenAICompatibleBackend

__all__ = ["OpenAICompatibleBackend", "capabilities", "discover"]


def __getattr__(name: str) -> object:
    if name != "OpenAICompatibleBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from roleforge_llm_builtin.openai_compatible.backend import OpenAICompatibleBackend

    return OpenAICompatibleBackend
