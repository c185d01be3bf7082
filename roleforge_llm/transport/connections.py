"""Connections to one origin, kept after use and used again, at a cost that does not grow with their number.

httpcore2 makes, speaks and ends the connections. Its own pool is not asked to choose one: for each request and each
reply it looks at every connection it has, idle ones with a system call, which is most of the time of a call when
a thousand of them are in flight. Here the one that was used last is taken, and only that one is looked at.

Nothing here takes a lock: a connection belongs to whoever has taken it off the shelf, and taking is atomic.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

import anyio
import httpcore2

__all__ = ["AsyncConnections", "Connections"]

_STREAMED = b"text/event-stream"

ConnectionT = TypeVar("ConnectionT", httpcore2.ConnectionInterface, httpcore2.AsyncConnectionInterface)


def _is_last(request: httpcore2.Request, response: httpcore2.Response) -> bool:
    """Whether *response* is the last one on its connection, although the server does not say so.

    llama.cpp closes after each event stream, and the next request may be sent before the close is seen: it would be
    a failed attempt. A new connection is cheap beside a stream, unless it is encrypted; those end at servers that say
    when they close.
    """
    kinds = [value for name, value in response.headers if name.lower() == b"content-type"]
    return request.url.scheme == b"http" and any(kind.lower().startswith(_STREAMED) for kind in kinds)


class _Shelf(Generic[ConnectionT]):
    """Idle connections, at most *size* of them, each for *seconds*. What is to be closed is given back."""

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self._idle: deque[tuple[float, ConnectionT]] = deque()

    def take(self) -> ConnectionT | None:
        """The connection that was used last, None without one."""
        try:
            return self._idle.pop()[1]
        except IndexError:
            return None

    def put(self, connection: ConnectionT) -> Iterator[ConnectionT]:
        """Keep *connection*; gives back those that have been idle for too long or for which there is no room."""
        now = time.monotonic()
        self._idle.append((now + self._seconds, connection))
        while (oldest := self._first()) is not None:
            if oldest[0] > now and len(self._idle) < self._size:
                self._idle.appendleft(oldest)
                return
            yield oldest[1]

    def _first(self) -> tuple[float, ConnectionT] | None:
        try:
            return self._idle.popleft()
        except IndexError:
            return None


class Connections:
    """Sends each request on a connection of its own; *pool* only makes them, and gives them *seconds* to live idle."""

    def __init__(self, pool: httpcore2.ConnectionPool, kept: int, seconds: float) -> None:
        self._pool = pool
        self._shelf: _Shelf[httpcore2.ConnectionInterface] = _Shelf(kept, seconds)
        self._open: set[httpcore2.ConnectionInterface] = set()

    def handle_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send *request*; the connection is kept once the response has been read to its end and closed."""
        connection = self._taken() or self._made(request)
        try:
            response = connection.handle_request(request)
        except BaseException:
            self._drop(connection)
            raise
        assert isinstance(response.stream, Iterable)
        response.stream = _Stream(response.stream, connection, self, is_last=_is_last(request, response))
        return response

    def _taken(self) -> httpcore2.ConnectionInterface | None:
        while (connection := self._shelf.take()) is not None:
            if not connection.has_expired():
                return connection
            self._drop(connection)
        return None

    def _made(self, request: httpcore2.Request) -> httpcore2.ConnectionInterface:
        connection = self._pool.create_connection(request.url.origin)
        self._open.add(connection)
        return connection

    def release(self, connection: httpcore2.ConnectionInterface, *, is_last: bool) -> None:
        """Keep *connection* if it can be used again."""
        for dropped in self._shelf.put(connection) if connection.is_idle() and not is_last else (connection,):
            self._drop(dropped)

    def _drop(self, connection: httpcore2.ConnectionInterface) -> None:
        self._open.discard(connection)
        with suppress(Exception):
            connection.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            self._drop(connection)


class _Stream:
    """The body of a response, which gives its connection back when it is closed."""

    def __init__(
        self,
        stream: Iterable[bytes],
        connection: httpcore2.ConnectionInterface,
        owner: Connections,
        *,
        is_last: bool,
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._owner: Connections | None = owner
        self._is_last = is_last

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._stream)

    def close(self) -> None:
        owner, self._owner = self._owner, None
        if owner is None:
            return
        try:
            if hasattr(self._stream, "close"):
                self._stream.close()
        finally:
            owner.release(self._connection, is_last=self._is_last)


class AsyncConnections:
    """:class:`Connections` for asyncio."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool, kept: int, seconds: float) -> None:
        self._pool = pool
        self._shelf: _Shelf[httpcore2.AsyncConnectionInterface] = _Shelf(kept, seconds)
        self._open: set[httpcore2.AsyncConnectionInterface] = set()

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """See :meth:`Connections.handle_request`."""
        connection = await self._taken() or self._made(request)
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await self._drop(connection)
            raise
        assert isinstance(response.stream, AsyncIterable)
        response.stream = _AsyncStream(response.stream, connection, self, is_last=_is_last(request, response))
        return response

    async def _taken(self) -> httpcore2.AsyncConnectionInterface | None:
        while (connection := self._shelf.take()) is not None:
            if not connection.has_expired():
                return connection
            await self._drop(connection)
        return None

    def _made(self, request: httpcore2.Request) -> httpcore2.AsyncConnectionInterface:
        connection = self._pool.create_connection(request.url.origin)
        self._open.add(connection)
        return connection

    async def release(self, connection: httpcore2.AsyncConnectionInterface, *, is_last: bool) -> None:
        """Keep *connection* if it can be used again."""
        for dropped in self._shelf.put(connection) if connection.is_idle() and not is_last else (connection,):
            await self._drop(dropped)

    async def _drop(self, connection: httpcore2.AsyncConnectionInterface) -> None:
        self._open.discard(connection)
        # Also in a cancelled task: a socket that is left open would stay so until the process ends.
        with anyio.CancelScope(shield=True), suppress(Exception):
            await connection.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in list(self._open):
            await self._drop(connection)


class _AsyncStream:
    """The body of a response, which gives its connection back when it is closed."""

    def __init__(
        self,
        stream: AsyncIterable[bytes],
        connection: httpcore2.AsyncConnectionInterface,
        owner: AsyncConnections,
        *,
        is_last: bool,
    ) -> None:
        self._stream = stream
        self._connection = connection
        self._owner: AsyncConnections | None = owner
        self._is_last = is_last

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        owner, self._owner = self._owner, None
        if owner is None:
            return
        with anyio.CancelScope(shield=True):
            try:
                if hasattr(self._stream, "aclose"):
                    await self._stream.aclose()
            finally:
                await owner.release(self._connection, is_last=self._is_last)
