"""llama.cpp inside the application: the backend ``llamacpp`` and the command ``roleforge-llm demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roleforge_llm import BackendSpec, Capabilities, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

__all__ = ["roleforge_backends", "roleforge_commands"]


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    """A backend that runs llama.cpp's server itself; a profile names a ``.gguf`` file as its model."""
    return [
        BackendSpec(
            "llamacpp",
            factory="roleforge_llm_llamacpp.backend:LlamaCppBackend",
            capabilities=Capabilities(
                adds_bos=True, continues_prefill=True, counts_tokens=True, knows_context_window=True
            ),
            description="llama.cpp's own server in a child process; model is the path of a .gguf file",
        )
    ]


@hookimpl
def roleforge_commands() -> Iterable[click.Command]:
    """``roleforge-llm demo``."""
    from roleforge_llm_llamacpp.demo import demo

    return [demo]
