"""The backend ``llamacpp``: llama.cpp's own API, on servers that run somewhere or that it starts itself.

On the endpoint "completions" it posts to ``/completion``; "chat" is left to the built-in backend, which speaks
OpenAI's API to the same server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import attrs

from roleforge_llm import Backend, BackendError, Chunk, Completion, Message, Profile, Request, ServerTemplate
from roleforge_llm_llamacpp.addresses import openai_base
from roleforge_llm_llamacpp.api import Api
from roleforge_llm_llamacpp.embedded import EmbeddedServers, window_of
from roleforge_llm_llamacpp.questions import Props, Question, apply_template, props, tokenize
from roleforge_llm_llamacpp.settings import checked_settings, completion_body
from roleforge_llm_llamacpp.windows import Windows

__all__ = ["LlamaCppBackend"]

T = TypeVar("T")

_NO_ENDPOINT = {404, 405, 501}
"""How a server, or what stands before it, says that it has no such endpoint or was started without it."""


class LlamaCppBackend(Backend):
    """Talks to the server at a profile's ``base_url``; without one, to a server of its own for the model file."""

    _talk: Backend

    def __init__(self) -> None:
        self._api = Api()
        self._embedded = EmbeddedServers()
        self._windows = Windows()

    def build_on(self, backends: Callable[[str], Backend]) -> None:
        """Take the built-in backend for the chat endpoint."""
        self._talk = backends("openai-compatible")

    def complete(self, request: Request) -> Completion:
        """Send *request* to its server, which is started if it is to be embedded and does not run yet."""
        body = _checked_body(request)
        request = self._located(request)
        with self._windows.doubted(request.profile):
            if body is None:
                return _without_echo(self._talk.complete(_chatting(request)), request)
            return self._api.complete(request, body)

    async def acomplete(self, request: Request) -> Completion:
        """:meth:`complete` for asyncio."""
        body = _checked_body(request)
        request = await self._alocated(request)
        with self._windows.doubted(request.profile):
            if body is None:
                return _without_echo(await self._talk.acomplete(_chatting(request)), request)
            return await self._api.acomplete(request, body)

    def stream(self, request: Request) -> Iterator[Chunk]:
        """:meth:`complete`, piece by piece."""
        body = _checked_body(request)
        request = self._located(request)
        with self._windows.doubted(request.profile):
            if body is None:
                yield from self._talk.stream(_chatting(request))
            else:
                yield from self._api.stream(request, body)

    async def astream(self, request: Request) -> AsyncIterator[Chunk]:
        """:meth:`stream` for asyncio."""
        body = _checked_body(request)
        request = await self._alocated(request)
        chunks = self._talk.astream(_chatting(request)) if body is None else self._api.astream(request, body)
        try:
            with self._windows.doubted(request.profile):
                async for chunk in chunks:
                    yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    def wire_body(self, request: Request) -> Mapping[str, object]:
        """The body that would be sent; starts nothing. Raises :class:`InvalidRequest` for settings that cannot be."""
        body = _checked_body(request)
        return self._talk.wire_body(request) if body is None else body

    def count_tokens(self, request: Request) -> int:
        """The tokens of the prompt, counted by the server; a chat is rendered by it first.

        An estimate where the server has no endpoints for it.
        """
        request = self._located(request)
        prompt = request.prompt
        if prompt is None:
            prompt = self._asked(request.profile, _rendering(request), request.deadline)
        tokens = None if prompt is None else self._asked(request.profile, tokenize(prompt), request.deadline)
        return super().count_tokens(request) if tokens is None else len(tokens)

    async def acount_tokens(self, request: Request) -> int:
        """:meth:`count_tokens` for asyncio."""
        request = await self._alocated(request)
        prompt = request.prompt
        if prompt is None:
            prompt = await self._aasked(request.profile, _rendering(request), request.deadline)
        tokens = None if prompt is None else await self._aasked(request.profile, tokenize(prompt), request.deadline)
        return super().count_tokens(request) if tokens is None else len(tokens)

    def context_window(self, profile: Profile) -> int | None:
        """The window of the server: as it says itself; of one that is to be embedded, as the model file allows."""
        if profile not in self._windows:
            embedded = profile.base_url is None
            self._windows[profile] = window_of(profile) if embedded else _window_in(self._asked(profile, props()))
        return self._windows[profile]

    async def acontext_window(self, profile: Profile) -> int | None:
        """:meth:`context_window` for asyncio."""
        if profile.base_url is None:
            return await asyncio.to_thread(self.context_window, profile)
        if profile not in self._windows:
            self._windows[profile] = _window_in(await self._aasked(profile, props()))
        return self._windows[profile]

    def server_template(self, profile: Profile) -> ServerTemplate | None:
        """The chat template of the model, as its server gives it."""
        found = self._asked(self._embedded.located(profile, profile.sampler), props())
        return found.template if found is not None else None

    async def aserver_template(self, profile: Profile) -> ServerTemplate | None:
        """:meth:`server_template` for asyncio."""
        found = await self._aasked(await self._embedded.alocated(profile, profile.sampler), props())
        return found.template if found is not None else None

    def server_prompt(self, profile: Profile, messages: Sequence[Message]) -> str | None:
        """What the server makes of *messages*."""
        return self._asked(self._embedded.located(profile, profile.sampler), apply_template(messages))

    def close(self) -> None:
        """Close connections, and end every embedded server."""
        self._api.close()
        self._embedded.close()

    async def aclose(self) -> None:
        """:meth:`close` for asyncio."""
        await self._api.aclose()
        self._embedded.close()

    def _located(self, request: Request) -> Request:
        """*request* with the address of its server in the profile."""
        profile = self._embedded.located(request.profile, request.sampler, request.deadline)
        return attrs.evolve(request, profile=profile)

    async def _alocated(self, request: Request) -> Request:
        """:meth:`_located` for asyncio."""
        profile = await self._embedded.alocated(request.profile, request.sampler, request.deadline)
        return attrs.evolve(request, profile=profile)

    def _asked(self, profile: Profile, question: Question[T], deadline: float | None = None) -> T | None:
        """The server's answer, None where it has no such endpoint."""
        try:
            return self._api.ask(profile, question, deadline)
        except BackendError as error:
            if error.status not in _NO_ENDPOINT:
                raise
            return None

    async def _aasked(self, profile: Profile, question: Question[T], deadline: float | None = None) -> T | None:
        """:meth:`_asked` for asyncio."""
        try:
            return await self._api.aask(profile, question, deadline)
        except BackendError as error:
            if error.status not in _NO_ENDPOINT:
                raise
            return None


def _checked_body(request: Request) -> Mapping[str, object] | None:
    """What is posted to ``/completion``; None for a chat, whose body is the built-in backend's business."""
    if request.endpoint == "completions":
        return completion_body(request)
    checked_settings(request)
    return None


def _chatting(request: Request) -> Request:
    """*request* for the OpenAI-compatible endpoints of its server."""
    return attrs.evolve(request, profile=attrs.evolve(request.profile, base_url=openai_base(request.profile)))


def _rendering(request: Request) -> Question[str]:
    return apply_template(request.messages, request.prefill, request.tools)


def _window_in(found: Props | None) -> int | None:
    return found.context_window if found is not None else None


def _without_echo(completion: Completion, request: Request) -> Completion:
    """llama.cpp's chat endpoint gives a prefill back in front of a whole reply, and only there."""
    return attrs.evolve(completion, text=completion.text.removeprefix(request.prefill))
