"""A backend that plays a script, for tests of policies and of applications."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from roleforge_llm.backends import Backend, BackendSpec, Capabilities, Chunk, Completion, Request

__all__ = ["ScriptedBackend", "Step"]

Step: TypeAlias = str | Completion | Exception | Sequence[str | Exception]
"""One answer of a :class:`ScriptedBackend`: a text, a completion, an error to raise, or the pieces of a stream."""


class ScriptedBackend(Backend):
    """Answers each request with the next step of its script; the last one repeats.

    A step is a reply's text, a :class:`~roleforge_llm.Completion`, an error to raise, or a list of pieces, of
    which an error breaks the stream there. ``requests`` are the requests that came, in order.
    """

    def __init__(self, *script: Step) -> None:
        self._script = script or ("",)
        self.requests: list[Request] = []

    def spec(self, name: str = "scripted", capabilities: Capabilities | None = None) -> BackendSpec:
        """This very backend as a plugin offers it."""
        return BackendSpec(name, lambda: self, capabilities or Capabilities())

    def _next(self, request: Request) -> Step:
        self.requests.append(request)
        return self._script[min(len(self.requests), len(self._script)) - 1]

    def complete(self, request: Request) -> Completion:
        """The next step as a whole reply."""
        step = self._next(request)
        if isinstance(step, Completion):
            return step
        return Completion("".join(_texts(step)), "stop")

    def stream(self, request: Request) -> Iterator[Chunk]:
        """The next step piece by piece."""
        step = self._next(request)
        if isinstance(step, Completion):
            yield Chunk.of(step)
            return
        for text in _texts(step):
            yield Chunk(text)
        yield Chunk(finish_reason="stop")


def _texts(step: str | Exception | Sequence[str | Exception]) -> Iterator[str]:
    for piece in [step] if isinstance(step, (str, Exception)) else step:
        if isinstance(piece, Exception):
            raise piece
        yield piece
