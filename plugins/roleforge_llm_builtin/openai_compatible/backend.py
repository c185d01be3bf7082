"""The backend itself: two thin shells, sync and async, around decisions that have no I/O."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial

from roleforge_llm.backends import Backend, Capabilities, Chunk, Completion, Request, ServerTemplate
from roleforge_llm.errors import BackendError
from roleforge_llm.messages import Message
from roleforge_llm.profiles import Profile
from roleforge_llm.transport import Call, PerLoop, PerProcess, async_opened, encoded, headers_of, opened
from roleforge_llm_builtin.openai_compatible.capabilities import capabilities
from roleforge_llm_builtin.openai_compatible.replies import unread, whole_reply
from roleforge_llm_builtin.openai_compatible.requests import body_of, url_of
from roleforge_llm_builtin.openai_compatible.sdk import AsyncSdk, Sdk
from roleforge_llm_builtin.openai_compatible.server_templates import ServerTemplates
from roleforge_llm_builtin.openai_compatible.streams import StreamReader

__all__ = ["OpenAICompatibleBackend"]


class OpenAICompatibleBackend(Backend):
    """Talks to every server with OpenAI's chat or completions endpoint, through the openai SDK.

    One object serves all profiles, threads, event loops and forked processes. *capabilities* says what the
    server behind a profile can do; a plugin for one kind of server gives its own.
    """

    def __init__(self, capabilities: Callable[[Profile], Capabilities] = capabilities) -> None:
        self._capabilities = capabilities
        self._clients = PerProcess(Sdk)
        self._async_clients = PerLoop(AsyncSdk)
        self._templates = ServerTemplates()

    def wire_body(self, request: Request) -> Mapping[str, object]:
        """The body that is sent for *request*."""
        return body_of(request, self._capabilities(request.profile))

    def complete(self, request: Request) -> Completion:
        """Send *request* and read the whole reply.

        The first piece of such a reply is the whole, so its ``firstToken`` limit bounds the generation.
        """
        call = _call(request)
        with opened(call, partial(self._clients.get(call.origin).send, *self._message(request, call))) as body:
            pieces: list[bytes] = []
            try:
                for piece in body:
                    pieces.append(piece)
                    call.clock.progress()
            except BackendError as error:
                raise unread(error) from None
        return whole_reply(b"".join(pieces), call)

    async def acomplete(self, request: Request) -> Completion:
        """:meth:`complete` for asyncio."""
        call = _call(request)
        send = partial(self._async_clients.get(call.origin).send, *self._message(request, call))
        async with async_opened(call, send) as body:
            pieces: list[bytes] = []
            try:
                async for piece in body:
                    pieces.append(piece)
                    call.clock.progress()
            except BackendError as error:
                raise unread(error) from None
        return whole_reply(b"".join(pieces), call)

    def stream(self, request: Request) -> Iterator[Chunk]:
        """Send *request* and yield its reply as it comes."""
        call = _call(request)
        reader = self._reader(request, call)
        with opened(call, partial(self._clients.get(call.origin).send, *self._message(request, call))) as body:
            try:
                for piece in body:
                    yield from reader.feed(piece)
            except BackendError as error:
                if (failure := reader.failed(error)) is not None:
                    raise failure from None
        yield from reader.end()

    async def astream(self, request: Request) -> AsyncIterator[Chunk]:
        """:meth:`stream` for asyncio."""
        call = _call(request)
        reader = self._reader(request, call)
        send = partial(self._async_clients.get(call.origin).send, *self._message(request, call))
        async with async_opened(call, send) as body:
            try:
                async for piece in body:
                    for chunk in reader.feed(piece):
                        yield chunk
            except BackendError as error:
                if (failure := reader.failed(error)) is not None:
                    raise failure from None
        for chunk in reader.end():
            yield chunk

    def server_template(self, profile: Profile) -> ServerTemplate | None:
        """The chat template in the server's ``/props``."""
        return self._templates.template(profile)

    def server_prompt(self, profile: Profile, messages: Sequence[Message]) -> str | None:
        """What the server's ``/apply-template`` makes of *messages*."""
        return self._templates.prompt(profile, messages)

    def close(self) -> None:
        """Close the connections of this process; the backend can be used again afterwards."""
        self._templates.close()
        for client in self._clients.drain():
            client.close()

    async def aclose(self) -> None:
        """Close the connections of this process and of the running event loop."""
        self.close()
        for client in self._async_clients.drain():
            await client.close()

    def _message(self, request: Request, call: Call) -> tuple[str, Mapping[str, str], bytes]:
        return call.url, headers_of(request.profile), encoded(self.wire_body(request))

    def _reader(self, request: Request, call: Call) -> StreamReader:
        return StreamReader(call, ends_without_finish=self._capabilities(request.profile).ends_without_finish)


def _call(request: Request) -> Call:
    profile = request.profile
    return Call(url_of(request), profile.timeouts, request.deadline, profile.secrets())
