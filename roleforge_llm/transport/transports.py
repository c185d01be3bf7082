"""HTTP transports for httpx2 that are bounded in time and size, and speak in errors of ours.

A reply that is no success never leaves the transport: it becomes its error here, with a bounded part of its
body read. A success's body is decoded here, in bounded pieces. No redirect is followed, and nothing is sent twice:
a connection that the server has closed is dropped before it is used again, and what breaks later is an
attempt that failed, for the failure policy to judge.
"""

from __future__ import annotations

from contextlib import aclosing, closing, suppress

import httpcore2
import httpx2

from roleforge_llm.errors import BackendError
from roleforge_llm.transport.bodies import BODY, AsyncBody, Body
from roleforge_llm.transport.bounds import ERROR_BODY_SECONDS, MAX_ERROR_BODY
from roleforge_llm.transport.calls import Call, current_call
from roleforge_llm.transport.connections import AsyncConnections, Connections
from roleforge_llm.transport.failures import exception_failure, status_failure

__all__ = ["AsyncTimedTransport", "TimedTransport"]


class TimedTransport(httpx2.BaseTransport):
    """Sends requests on *connections*, each as the current call (see :func:`active`)."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request*. Raises :class:`BackendError` for everything but a success."""
        call = current_call()
        reply = self._send(_wire_request(request), call)
        body = Body(reply, call)
        if not 200 <= reply.status < 300:
            raise status_failure(reply.status, body.headers, _error_body(body, call), call)
        return _response(reply, body)

    def _send(self, request: httpcore2.Request, call: Call) -> httpcore2.Response:
        try:
            return self._connections.handle_request(request)
        except Exception as exc:  # noqa: BLE001 - every failure becomes one of ours
            raise exception_failure(exc, call) from None

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()


class AsyncTimedTransport(httpx2.AsyncBaseTransport):
    """:class:`TimedTransport` for asyncio, over asynchronous *connections*."""

    def __init__(self, connections: AsyncConnections) -> None:
        self._connections = connections

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send *request*. Raises :class:`BackendError` for everything but a success."""
        call = current_call()
        reply = await self._send(_wire_request(request), call)
        body = AsyncBody(reply, call)
        if not 200 <= reply.status < 300:
            raise status_failure(reply.status, body.headers, await _async_error_body(body, call), call)
        return _response(reply, body)

    async def _send(self, request: httpcore2.Request, call: Call) -> httpcore2.Response:
        try:
            return await self._connections.handle_async_request(request)
        except Exception as exc:  # noqa: BLE001 - every failure becomes one of ours
            raise exception_failure(exc, call) from None

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()


def _wire_request(request: httpx2.Request) -> httpcore2.Request:
    url = request.url
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
    )


def _response(reply: httpcore2.Response, body: Body | AsyncBody) -> httpx2.Response:
    headers = body.headers.copy()
    headers.pop("content-encoding", None)
    return httpx2.Response(reply.status, headers=headers, stream=body, extensions={BODY: body})


def _error_body(body: Body, call: Call) -> bytes:
    call.clock.at_most(ERROR_BODY_SECONDS)
    text = b""
    with closing(body), suppress(BackendError):
        while len(text) < MAX_ERROR_BODY and (piece := next(body, None)):
            text += piece
    return text[:MAX_ERROR_BODY]


async def _async_error_body(body: AsyncBody, call: Call) -> bytes:
    call.clock.at_most(ERROR_BODY_SECONDS)
    text = b""
    async with aclosing(body):
        with suppress(BackendError):
            while len(text) < MAX_ERROR_BODY and (piece := await anext(body, None)):
                text += piece
    return text[:MAX_ERROR_BODY]
