"""Making a call: a request out, the body of its reply in, every failure an error of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx2

from roleforge_llm.transport.bodies import BODY, AsyncBody, Body
from roleforge_llm.transport.calls import Call, active
from roleforge_llm.transport.failures import exception_failure

__all__ = ["async_opened", "opened"]


@contextmanager
def opened(call: Call, send: Callable[[], httpx2.Response]) -> Iterator[Body]:
    """Make *call* by *send*, which uses a client of :func:`http_client`; gives the body, still to be read.

    Raises :class:`~roleforge_llm.BackendError`. At the end the reply is closed, and with it the connection
    unless everything was read.
    """
    with active(call):
        try:
            body = send().extensions[BODY]
        except Exception as exc:  # noqa: BLE001 - every failure becomes one of ours
            raise exception_failure(exc, call) from None
    assert isinstance(body, Body)
    try:
        yield body
    finally:
        body.close()


@asynccontextmanager
async def async_opened(call: Call, send: Callable[[], Awaitable[httpx2.Response]]) -> AsyncIterator[AsyncBody]:
    """:func:`opened` for asyncio, with a client of :func:`async_http_client`."""
    with active(call):
        try:
            body = (await send()).extensions[BODY]
        except Exception as exc:  # noqa: BLE001 - every failure becomes one of ours
            raise exception_failure(exc, call) from None
    assert isinstance(body, AsyncBody)
    try:
        yield body
    finally:
        await body.aclose()
