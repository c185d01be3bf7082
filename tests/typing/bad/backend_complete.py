from collections.abc import AsyncIterator, Iterator

from roleforge_llm import Backend, Capabilities, Chunk, Completion, Profile, Request, Usage


class Wrong(Backend):
    async def complete(self, request: Request) -> Completion:  # wrong
        return Completion("x")

    def stream(self, request: Request) -> Iterator[str]:  # wrong
        yield "x"

    def acomplete(self, request: Request) -> Completion:  # wrong
        return Completion("x")

    async def astream(self, request: Request) -> AsyncIterator[Chunk]:
        yield "x"  # wrong

    def context_window(self, profile: str) -> int | None:  # wrong
        return None

    def count_tokens(self, request: Request) -> float:  # wrong
        return 1.5


Completion(text=b"x")  # wrong
Chunk(text="x", tokens="1")  # wrong
Usage(completion_tokens="1")  # wrong
Capabilities(max_stop="4")  # wrong
Capabilities(endpoints=3)  # wrong
Profile("p", base_url=3)  # wrong
