"""One request on the wire: its limits, its secrets, and what the network has seen of it so far."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from roleforge_llm.profiles import Timeouts
from roleforge_llm.transport.clocks import Clock
from roleforge_llm.transport.masking import Mask

__all__ = ["Call", "active", "current_call", "guard_loggers", "origin_of"]

Phase = Literal["connecting", "securing", "sending", "waiting", "reading"]


def origin_of(url: str) -> str:
    """Scheme, host and port of *url*: the part of it that may be shown."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return "an unreadable address"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _query_values(url: str) -> Iterator[str]:
    query = urlsplit(url).query
    yield from (value for _, value in parse_qsl(query))
    yield from (field.partition("=")[2] for field in query.split("&"))


class Call:
    """One request on the wire.

    *url* is where it goes, *timeouts* and *deadline* (a time of ``time.monotonic()``) are its limits,
    *secrets* are what must never be shown; values in the URL's query count as secrets too.

    ``origin`` is the part of the URL that may be shown, ``mask`` replaces the secrets, ``clock`` says which limit ends
    next, ``phase`` how far the request has come, and ``ended`` whether it is over. ``prefix`` is the beginning of what
    came back, ``request_id`` the server's own name for the request, None where it gave none.
    """

    __slots__ = ("clock", "ended", "mask", "origin", "phase", "prefix", "request_id", "url")

    def __init__(
        self, url: str, timeouts: Timeouts, deadline: float | None = None, secrets: Iterable[str] = ()
    ) -> None:
        self.url = url
        self.origin = origin_of(url)
        self.clock = Clock(timeouts, deadline)
        self.mask = Mask((*secrets, *_query_values(url)))
        self.request_id: str | None = None
        self.phase: Phase = "connecting"
        self.ended = False
        self.prefix = b""

    def connecting(self) -> float | None:
        """Seconds that opening a connection may take."""
        self.phase, self.prefix = "connecting", b""
        self.clock.connecting()
        return self.clock.remaining()

    def securing(self) -> float | None:
        """Seconds that setting up TLS may take; the connection's limit goes on running."""
        self.phase, self.prefix = "securing", b""
        return self.clock.remaining()

    def sending(self) -> float | None:
        """Seconds that writing may take."""
        if self.phase in {"connecting", "securing"}:
            self.phase = "sending"
            self.clock.sent()
        return self.clock.remaining()

    def waiting(self) -> float | None:
        """Seconds that reading may take."""
        if self.phase == "sending":
            self.phase = "waiting"
            self.clock.sent()
        return self.clock.remaining()

    def received(self, data: bytes) -> None:
        """Note what came: its first bytes tell HTTP from other protocols, nothing tells an end."""
        if not data:
            self.ended = True
        elif len(self.prefix) < 5:
            self.prefix += data[:5]

    @property
    def speaks_http(self) -> bool:
        """Whether what came so far can be the beginning of an HTTP reply."""
        return b"HTTP/".startswith(self.prefix[:5])


_current: ContextVar[Call] = ContextVar("roleforge_llm_transport_call")


def current_call() -> Call:
    """The call that is being made here. Raises LookupError outside of one."""
    return _current.get()


class active:  # noqa: N801  # used like a function
    """Make *call* the current one, for the length of one blocking operation."""

    # A class, since every token of a stream passes through here: a generator's context manager costs twice as much.
    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> Call:
        self._token = _current.set(self._call)
        return self._call

    def __exit__(self, *error: object) -> None:
        _current.reset(self._token)


class _MaskingFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if (call := _current.get(None)) is not None:
            record.msg, record.args = call.mask(record.getMessage()), ()
        return True


_MASKING_FILTER = _MaskingFilter()


def guard_loggers(*names: str) -> None:
    """Mask the current call's secrets in what the loggers *names* write (not in their children's)."""
    for name in names:
        logging.getLogger(name).addFilter(_MASKING_FILTER)


# At DEBUG httpcore2 logs every header of a reply, at INFO httpx2 logs URLs: a server may echo a key in the
# one, a profile may carry one in the other.
guard_loggers("httpx2", "httpcore2.connection", "httpcore2.http11", "httpcore2.proxy", "httpcore2.socks")
