"""FROZEN: see frozen_v1/__init__.py."""

from collections.abc import AsyncIterator, Iterator

from roleforge_llm import Backend, Chunk, Completion, Request, Usage


class Cracked(Exception):
    """An error that only the plugin itself knows."""


class Glacier(Backend):
    """Says what it was sent. On a profile with the model "thin" every request fails, on "crisp" the first one."""

    def __init__(self) -> None:
        self.requests = 0

    def _answer(self, request: Request) -> str:
        self.requests += 1
        model = request.profile.model
        if model == "thin" or (model == "crisp" and self.requests == 1):
            raise Cracked("the ice has cracked")
        return f" Ice says: {request.prompt}"

    def complete(self, request: Request) -> Completion:
        return Completion(text=self._answer(request), finish_reason="stop", usage=Usage(completion_tokens=3))

    def stream(self, request: Request) -> Iterator[Chunk]:
        for piece in self._answer(request).splitlines(keepends=True):
            yield Chunk(text=piece)
        yield Chunk(finish_reason="stop")

    async def acomplete(self, request: Request) -> Completion:
        return self.complete(request)

    async def astream(self, request: Request) -> AsyncIterator[Chunk]:
        for chunk in self.stream(request):
            yield chunk

    def close(self) -> None:
        self.requests = 0
