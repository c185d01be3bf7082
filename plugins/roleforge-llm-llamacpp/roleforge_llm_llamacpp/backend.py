"""The backend ``llamacpp``: it starts llama.cpp's server and leaves the talking to the built-in backend."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from roleforge_llm import Backend, Chunk, Completion, Message, Profile, Request, Secret, ServerTemplate
from roleforge_llm_llamacpp.models import model_file
from roleforge_llm_llamacpp.native import NativeApi
from roleforge_llm_llamacpp.server import DEFAULT_CONTEXT, STARTING, LlamaServer

__all__ = ["LlamaCppBackend"]

TEMPLATE_OVERHEAD = 8
"""Tokens that a model's chat template adds to each message, generously."""


class LlamaCppBackend(Backend):
    """One server per model file, started on first use, shared by all profiles, threads and event loops.

    Profiles that ask for more context than the default get a server of that size. A server that has died is
    started again by the next request.
    """

    _talk: Backend

    def __init__(self) -> None:
        self._servers: dict[tuple[Path, int], LlamaServer] = {}
        self._native = NativeApi()

    def build_on(self, backends: Callable[[str], Backend]) -> None:
        """Take the built-in backend to talk to the servers with."""
        self._talk = backends("openai-compatible")

    def complete(self, request: Request) -> Completion:
        """Send *request* to the server of its model, which is started if need be."""
        server = self._server(request)
        completion = self._talk.complete(_addressed(request, server, server.url(_patience(request))))
        return _without_echo(completion, request)

    def stream(self, request: Request) -> Iterator[Chunk]:
        """:meth:`complete`, piece by piece."""
        server = self._server(request)
        yield from self._talk.stream(_addressed(request, server, server.url(_patience(request))))

    async def acomplete(self, request: Request) -> Completion:
        """:meth:`complete` for asyncio."""
        server = self._server(request)
        url = await server.aurl(_patience(request))
        completion = await self._talk.acomplete(_addressed(request, server, url))
        return _without_echo(completion, request)

    async def astream(self, request: Request) -> AsyncIterator[Chunk]:
        """:meth:`stream` for asyncio."""
        server = self._server(request)
        url = await server.aurl(_patience(request))
        chunks = self._talk.astream(_addressed(request, server, url))
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def wire_body(self, request: Request) -> Mapping[str, object]:
        """The body that would be sent; starts nothing."""
        return self._talk.wire_body(request)

    def count_tokens(self, request: Request) -> int:
        """The tokens of the prompt, counted by the model's own tokenizer; of a chat, without its template's."""
        server = self._server(request)
        url = server.url(_patience(request))
        return self._native.count_tokens(request, url, server.key, _counted(request)) + _overhead(request)

    async def acount_tokens(self, request: Request) -> int:
        """:meth:`count_tokens` for asyncio."""
        server = self._server(request)
        url = await server.aurl(_patience(request))
        return await self._native.acount_tokens(request, url, server.key, _counted(request)) + _overhead(request)

    def context_window(self, profile: Profile) -> int | None:
        """The window that servers are started with where a profile does not ask for more."""
        return DEFAULT_CONTEXT

    async def acontext_window(self, profile: Profile) -> int | None:
        """:meth:`context_window` for asyncio; asks nobody."""
        return DEFAULT_CONTEXT

    def server_template(self, profile: Profile) -> ServerTemplate | None:
        """The chat template of the model file, as its server gives it."""
        return self._talk.server_template(self._located(profile))

    def server_prompt(self, profile: Profile, messages: Sequence[Message]) -> str | None:
        """What the server makes of *messages*."""
        return self._talk.server_prompt(self._located(profile), messages)

    def _located(self, profile: Profile) -> Profile:
        """*profile* with the address and the key of its server, which is started if need be."""
        request = Request(profile, "chat", (), profile.sampler)
        server = self._server(request)
        return _addressed(request, server, server.url(_patience(request))).profile

    async def aclose(self) -> None:
        """:meth:`close` for asyncio."""
        await self._native.aclose()
        self.close()

    def close(self) -> None:
        """End every server."""
        self._native.close()
        with STARTING:
            servers, self._servers = self._servers, {}
        for server in servers.values():
            server.close()

    def _server(self, request: Request) -> LlamaServer:
        wanted = request.sampler.max_context_tokens or DEFAULT_CONTEXT
        key = model_file(request.profile.model), max(wanted, DEFAULT_CONTEXT)
        with STARTING:
            server = self._servers.get(key)
            if server is None or not server.alive:
                server = self._servers[key] = LlamaServer(*key)
        return server


def _patience(request: Request) -> float | None:
    """How many seconds this request may wait for a model to load."""
    limits = [request.profile.timeouts.first_token]
    if request.deadline is not None:
        limits.append(max(0.0, request.deadline - time.monotonic()))
    return min((limit for limit in limits if limit is not None), default=None)


def _counted(request: Request) -> str:
    if request.prompt is not None:
        return request.prompt
    return "\n".join([*(message.text for message in request.messages), request.prefill])


def _overhead(request: Request) -> int:
    return 0 if request.prompt is not None else TEMPLATE_OVERHEAD * (len(request.messages) + 1)


def _addressed(request: Request, server: LlamaServer, url: str) -> Request:
    profile = attrs.evolve(request.profile, base_url=f"{url}/v1", api_key=Secret(server.key), api_key_env=None)
    return attrs.evolve(request, profile=profile)


def _without_echo(completion: Completion, request: Request) -> Completion:
    """llama.cpp's chat endpoint gives a prefill back in front of a whole reply, and only there."""
    if request.endpoint != "chat" or not request.prefill:
        return completion
    return attrs.evolve(completion, text=completion.text.removeprefix(request.prefill))
