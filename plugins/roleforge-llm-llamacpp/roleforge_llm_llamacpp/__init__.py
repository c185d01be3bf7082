"""llama.cpp's own API, on its servers and inside the application; and the command ``roleforge-llm demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roleforge_llm import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import click

    from roleforge_llm import BackendSpec, Fault, Profile

__all__ = ["roleforge_backends", "roleforge_commands"]


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    """A backend for llama.cpp's servers: the one at a profile's base URL, or one that it runs for a ``.gguf`` file."""
    from roleforge_llm import BackendSpec, Capabilities

    return [
        BackendSpec(
            "llamacpp",
            factory="roleforge_llm_llamacpp.backend:LlamaCppBackend",
            capabilities=Capabilities(
                adds_bos=True,
                continues_prefill=True,
                counts_tokens=True,
                knows_context_window=True,
                constraints=("grammar", "json_schema"),
            ),
            description="llama.cpp's own API: the server at baseURL, or one in a child process for a .gguf file",
            check=_check,
        )
    ]


@hookimpl
def roleforge_commands() -> Iterable[click.Command]:
    """``roleforge-llm demo``."""
    from roleforge_llm_llamacpp.demo import demo

    return [demo]


def _check(profile: Profile) -> Sequence[Fault]:
    from roleforge_llm_llamacpp.settings import check_profile

    return check_profile(profile)
