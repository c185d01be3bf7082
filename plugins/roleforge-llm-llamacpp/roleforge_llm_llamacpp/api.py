"""The HTTP calls to llama.cpp's own endpoints: two thin shells, sync and async, around what is decided elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import attrs

from roleforge_llm import BackendError, Chunk, Completion, InvalidRequest, Profile, Request
from roleforge_llm.transport import (
    AsyncBody,
    Body,
    Call,
    PerLoop,
    PerProcess,
    async_http_client,
    async_opened,
    encoded,
    headers_of,
    http_client,
    opened,
)
from roleforge_llm_llamacpp.addresses import url_of
from roleforge_llm_llamacpp.events import EventReader
from roleforge_llm_llamacpp.questions import Question
from roleforge_llm_llamacpp.replies import Expected, answer_of, unread, whole_reply

if TYPE_CHECKING:
    import httpx2

__all__ = ["Api"]

T = TypeVar("T")

_SECONDS = 15.0
"""The longest wait for an answer to a question: nothing is generated for it."""


class Api:
    """Talks to the servers at the ``base_url`` of profiles. One object for all threads and event loops.

    Every failure is a :class:`BackendError`: of kind "loading" while the server loads its model, of kind
    "not-supported" for an endpoint that it was started without.
    """

    def __init__(self) -> None:
        self._clients = PerProcess(http_client)
        self._async_clients = PerLoop(async_http_client)

    def ask(self, profile: Profile, question: Question[T], deadline: float | None = None) -> T:
        """The server's answer to *question*; *deadline* is a time of ``time.monotonic()``."""
        call = _asking(profile, question, deadline)
        with self._opened(call, profile, question.body) as reply:
            return question.read(answer_of(b"".join(reply), call))

    async def aask(self, profile: Profile, question: Question[T], deadline: float | None = None) -> T:
        """:meth:`ask` for asyncio."""
        call = _asking(profile, question, deadline)
        async with self._async_opened(call, profile, question.body) as reply:
            return question.read(answer_of(b"".join([piece async for piece in reply]), call))

    def complete(self, request: Request, body: Mapping[str, object]) -> Completion:
        """Post *body* to ``/completion`` and read the whole reply. Its ``firstToken`` limit bounds the generation."""
        call, expected = _completing(request, body)
        with self._opened(call, request.profile, body) as reply:
            pieces: list[bytes] = []
            try:
                for piece in reply:
                    pieces.append(piece)
                    call.clock.progress()
            except BackendError as error:
                raise unread(error) from None
        return whole_reply(b"".join(pieces), expected, call)

    async def acomplete(self, request: Request, body: Mapping[str, object]) -> Completion:
        """:meth:`complete` for asyncio."""
        call, expected = _completing(request, body)
        async with self._async_opened(call, request.profile, body) as reply:
            pieces: list[bytes] = []
            try:
                async for piece in reply:
                    pieces.append(piece)
                    call.clock.progress()
            except BackendError as error:
                raise unread(error) from None
        return whole_reply(b"".join(pieces), expected, call)

    def stream(self, request: Request, body: Mapping[str, object]) -> Iterator[Chunk]:
        """:meth:`complete`, piece by piece."""
        call, expected = _completing(request, body)
        reader = EventReader(expected, call)
        with self._opened(call, request.profile, body) as reply:
            try:
                for piece in reply:
                    yield from reader.feed(piece)
            except BackendError as error:
                if (failure := reader.failed(error)) is not None:
                    raise failure from None
        yield from reader.end()

    async def astream(self, request: Request, body: Mapping[str, object]) -> AsyncIterator[Chunk]:
        """:meth:`stream` for asyncio."""
        call, expected = _completing(request, body)
        reader = EventReader(expected, call)
        async with self._async_opened(call, request.profile, body) as reply:
            try:
                async for piece in reply:
                    for chunk in reader.feed(piece):
                        yield chunk
            except BackendError as error:
                if (failure := reader.failed(error)) is not None:
                    raise failure from None
        for chunk in reader.end():
            yield chunk

    @contextmanager
    def _opened(self, call: Call, profile: Profile, body: Mapping[str, object] | None) -> Iterator[Body]:
        client = self._clients.get(call.origin)
        message = _message(client, call, profile, body)
        with _told(), opened(call, partial(client.send, message, stream=True)) as reply:
            yield reply

    @asynccontextmanager
    async def _async_opened(
        self, call: Call, profile: Profile, body: Mapping[str, object] | None
    ) -> AsyncIterator[AsyncBody]:
        client = self._async_clients.get(call.origin)
        message = _message(client, call, profile, body)
        with _told():
            async with async_opened(call, partial(client.send, message, stream=True)) as reply:
                yield reply

    def close(self) -> None:
        """Close the connections of this process; the object can be used again afterwards."""
        for client in self._clients.drain():
            client.close()

    async def aclose(self) -> None:
        """Close the connections of this process and of the running event loop."""
        self.close()
        for client in self._async_clients.drain():
            await client.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _asking(profile: Profile, question: Question[T], deadline: float | None) -> Call:
    waits = [limit for limit in (profile.timeouts.first_token, _SECONDS) if limit is not None]
    timeouts = attrs.evolve(profile.timeouts, first_token=min(waits))
    return Call(url_of(profile, question.path), timeouts, deadline, profile.secrets())


def _completing(request: Request, body: Mapping[str, object]) -> tuple[Call, Expected]:
    profile = request.profile
    call = Call(url_of(profile, "/completion"), profile.timeouts, request.deadline, profile.secrets())
    return call, Expected.of(body, continues=bool(request.prefill))


def _message(
    client: httpx2.Client | httpx2.AsyncClient, call: Call, profile: Profile, body: Mapping[str, object] | None
) -> httpx2.Request:
    method, content = ("GET", None) if body is None else ("POST", encoded(body))
    return client.build_request(method, call.url, headers=headers_of(profile), content=content)


@contextmanager
def _told() -> Iterator[None]:
    """What the server was started without, it will not have at the next attempt either: no error to retry."""
    try:
        yield
    except BackendError as error:
        if error.status != 501:
            raise
        raise InvalidRequest(error.message, kind="not-supported", status=501, request_id=error.request_id) from None
