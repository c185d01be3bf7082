"""The built-in plugins: prompt formats, the OpenAI-compatible backend, the failure policy and its classifier.

Registered through the same entry point as anybody's, and using nothing that a third party could not use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from roleforge_llm import hookimpl

if TYPE_CHECKING:
    from roleforge_llm import Attempt, BackendSpec, Failure, PolicySpec, PromptFormat


@hookimpl
def roleforge_formats() -> Iterable[PromptFormat]:
    """The formats of the templates folder."""
    from roleforge_llm_builtin.formats import builtin_formats

    return builtin_formats()


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    """The OpenAI-compatible backend."""
    from roleforge_llm import BackendSpec
    from roleforge_llm_builtin.openai_compatible.capabilities import capabilities
    from roleforge_llm_builtin.openai_compatible.discovery import discover

    return [
        BackendSpec(
            name="openai-compatible",
            factory="roleforge_llm_builtin.openai_compatible:OpenAICompatibleBackend",
            capabilities=capabilities,
            discover=discover,
            description="Servers that speak OpenAI's API: KoboldCPP, llama.cpp, vLLM, Ollama, LM Studio, OpenAI.",
        )
    ]


@hookimpl
def roleforge_failure_policies() -> Iterable[PolicySpec]:
    """Retry with exponential backoff and jitter, then fall back."""
    from roleforge_llm_builtin.backoff import backoff_then_fallback

    return [backoff_then_fallback]


@hookimpl
def roleforge_classify_error(error: Exception, attempt: Attempt) -> Failure | None:  # noqa: ARG001  # a hook's argument
    """Which errors are worth a retry."""
    from roleforge_llm_builtin.classify import classify

    return classify(error)
