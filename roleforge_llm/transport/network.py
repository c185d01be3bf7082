"""Network streams that keep to the limits of the current call: every wait asks its clock first.

httpcore2's own time limits hold for each read alone, so a server that drips bytes is never too slow for
them.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator

import httpcore2

from roleforge_llm.transport.calls import current_call

__all__ = ["AsyncTimedBackend", "TimedBackend"]

_SLICE = 64 * 1024


def _slices(buffer: bytes) -> Iterator[bytes]:
    # A large request to a server that reads slowly takes many waits; each slice asks the clock again.
    if len(buffer) <= _SLICE:
        yield buffer
        return
    for start in range(0, len(buffer), _SLICE):
        yield buffer[start : start + _SLICE]


class _TimedStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        call = current_call()
        data = self._stream.read(max_bytes, call.waiting())
        call.received(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        call = current_call()
        for part in _slices(buffer):
            self._stream.write(part, call.sending())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, current_call().securing()))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class TimedBackend(httpcore2.NetworkBackend):
    """Opens connections within the limits of the current call."""

    def __init__(self) -> None:
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Try each address of *host*, all of them within one connect limit."""
        call = current_call()
        call.connecting()
        failure: Exception | None = None
        for address in _addresses(host, port):
            try:
                left = call.clock.remaining()
                return _TimedStream(self._backend.connect_tcp(address, port, left, local_address, socket_options))
            except httpcore2.ConnectError as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(str(error)) from (
            error if isinstance(error, OSError) else socket.gaierror(str(error))
        )
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _AsyncTimedStream(httpcore2.AsyncNetworkStream):
    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        call = current_call()
        data = await self._stream.read(max_bytes, call.waiting())
        call.received(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        call = current_call()
        for part in _slices(buffer):
            await self._stream.write(part, call.sending())

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore2.AsyncNetworkStream:
        left = current_call().securing()
        return _AsyncTimedStream(await self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class AsyncTimedBackend(httpcore2.AsyncNetworkBackend):
    """:class:`TimedBackend` for asyncio."""

    def __init__(self) -> None:
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Open a connection; anyio tries the addresses of *host* side by side."""
        left = current_call().connecting()
        return _AsyncTimedStream(await self._backend.connect_tcp(host, port, left, local_address, socket_options))
