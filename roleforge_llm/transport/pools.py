"""HTTP clients that are shared by all calls to one origin, in every thread, process and event loop.

One connection pool for each origin; asynchronous ones for each event loop too, because a connection belongs
to the loop that opened it; and a process that was forked makes its own, because two must not write to one
socket. Nothing here takes a lock, which a fork could leave closed: a look-up that two threads do at once
makes two clients and keeps one.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from roleforge_llm.transport.connections import AsyncConnections, Connections
from roleforge_llm.transport.network import AsyncTimedBackend, TimedBackend
from roleforge_llm.transport.transports import AsyncTimedTransport, TimedTransport

__all__ = ["PerLoop", "PerProcess", "async_http_client", "http_client"]

ClientT = TypeVar("ClientT")

_KEPT = 100
# Servers commonly close an idle connection after 5 s (cpp-httplib, uvicorn, Node.js). A request that is sent at
# that very moment is lost, so the connection is given up a little earlier on this side.
_KEPT_SECONDS = 4.0


class PerProcess(Generic[ClientT]):
    """One client for each origin, made by *make* when it is first asked for."""

    def __init__(self, make: Callable[[str], ClientT]) -> None:
        self._make = make
        self._clients: dict[tuple[int, str], ClientT] = {}

    def get(self, origin: str) -> ClientT:
        """The client for *origin* (scheme, host and port)."""
        key = (os.getpid(), origin)
        if (client := self._clients.get(key)) is None:
            client = self._clients.setdefault(key, self._make(origin))
        return client

    def drain(self) -> list[ClientT]:
        """Forget all clients and give back those of this process, to be closed."""
        clients, self._clients = self._clients, {}
        return [client for (pid, _), client in clients.items() if pid == os.getpid()]


class PerLoop(Generic[ClientT]):
    """One client for each origin and running event loop, made by *make* when it is first asked for."""

    def __init__(self, make: Callable[[str], ClientT]) -> None:
        self._make = make
        self._loops: dict[asyncio.AbstractEventLoop, PerProcess[ClientT]] = {}

    def get(self, origin: str) -> ClientT:
        """The client for *origin* (scheme, host and port) in the running loop."""
        loop = asyncio.get_running_loop()
        if (clients := self._loops.get(loop)) is None:
            # Loops that have ended can close nothing any more; what they left is only forgotten.
            for other in list(self._loops):
                if other.is_closed():
                    self._loops.pop(other, None)
            clients = self._loops.setdefault(loop, PerProcess(self._make))
        return clients.get(origin)

    def drain(self) -> list[ClientT]:
        """Forget the clients of the running loop and give them back, to be closed."""
        clients = self._loops.pop(asyncio.get_running_loop(), None)
        return clients.drain() if clients is not None else []


def http_client(origin: str) -> httpx2.Client:
    """A client for *origin* whose every request is the current call's (see :class:`TimedTransport`)."""
    pool = httpcore2.ConnectionPool(
        ssl_context=_tls(origin),
        proxy=_proxy(origin),
        keepalive_expiry=_KEPT_SECONDS,
        network_backend=TimedBackend(),
    )
    transport = TimedTransport(Connections(pool, _KEPT, _KEPT_SECONDS))
    return httpx2.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=None)


def async_http_client(origin: str) -> httpx2.AsyncClient:
    """:func:`http_client` for asyncio."""
    pool = httpcore2.AsyncConnectionPool(
        ssl_context=_tls(origin),
        proxy=_proxy(origin),
        keepalive_expiry=_KEPT_SECONDS,
        network_backend=AsyncTimedBackend(),
    )
    transport = AsyncTimedTransport(AsyncConnections(pool, _KEPT, _KEPT_SECONDS))
    return httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=None)


@cache
def _shared_tls() -> ssl.SSLContext:
    # Reading the certificates takes 24 ms: once is enough.
    return httpx2.create_ssl_context()


def _tls(origin: str) -> ssl.SSLContext | None:
    return _shared_tls() if origin.startswith("https") or _proxy(origin) else None


def _proxy(origin: str) -> httpcore2.Proxy | None:
    parts = urlsplit(origin)
    host = parts.hostname or ""
    if _is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    url = proxies.get(parts.scheme) or proxies.get("all")
    if not url:
        return None
    proxy = httpx2.Proxy(url if "://" in url else f"http://{url}")
    return httpcore2.Proxy(str(proxy.url), auth=proxy.raw_auth)


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.endswith(".localhost") or host.startswith("127.")
