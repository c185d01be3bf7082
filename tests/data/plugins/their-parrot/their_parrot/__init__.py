"""The backend ``parrot``, which repeats its prompt."""

from collections.abc import Iterable

from roleforge_llm import BackendSpec, hookimpl


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    return [BackendSpec("parrot", "their_parrot.backend:Parrot")]
