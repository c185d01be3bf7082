"""A backend with every method, synchronous and for asyncio."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

from roleforge_llm import (
    Backend,
    BackendSpec,
    Capabilities,
    Chunk,
    Completion,
    DiscoveredServer,
    Message,
    Profile,
    Request,
    ServerTemplate,
    StreamBroken,
    Usage,
    estimate_tokens,
    hookimpl,
)


class Complete(Backend):
    def build_on(self, backends: Callable[[str], Backend]) -> None:
        self.below = backends("openai-compatible")

    def complete(self, request: Request) -> Completion:
        return Completion(request.prompt or "", "stop", usage=Usage(completion_tokens=1), stop_sequence=None)

    def stream(self, request: Request) -> Iterator[Chunk]:
        yield Chunk("x")
        raise StreamBroken("gone", partial="x")

    async def acomplete(self, request: Request) -> Completion:
        return await self.below.acomplete(request)

    async def astream(self, request: Request) -> AsyncIterator[Chunk]:
        async for chunk in self.below.astream(request):
            yield chunk

    def wire_body(self, request: Request) -> Mapping[str, object]:
        return {"prompt": request.prompt, "temperature": request.sampler.temperature}

    def count_tokens(self, request: Request) -> int:
        return estimate_tokens(request.prompt or "")

    async def acount_tokens(self, request: Request) -> int:
        return self.count_tokens(request)

    def context_window(self, profile: Profile) -> int | None:
        return 4096 if profile.model else None

    async def acontext_window(self, profile: Profile) -> int | None:
        return None

    def server_template(self, profile: Profile) -> ServerTemplate | None:
        return ServerTemplate("{{ messages }}", bos_token="<s>")

    async def aserver_template(self, profile: Profile) -> ServerTemplate | None:
        return None

    def server_prompt(self, profile: Profile, messages: Sequence[Message]) -> str | None:
        return messages[0].text

    def close(self) -> None:
        self.below.close()

    async def aclose(self) -> None:
        await self.below.aclose()


def discover() -> Iterable[DiscoveredServer]:
    yield DiscoveredServer("local", "a server", {"backend": "complete"})


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    capabilities = Capabilities(endpoints={"completions", "chat"}, counts_tokens=True, requires_base_url=True)
    return [BackendSpec("complete", Complete, capabilities, discover=discover, description="Everything.")]
