"""What a fault server plays: answers as actions on the wire."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import attrs

__all__ = ["Action", "Answer", "Cut", "Pause", "Received", "Reply", "Stream", "chunked", "event", "head"]


class Cut(enum.Enum):
    """Ways to end a connection: RESET it, or CLOSE it properly, whatever is still to come."""

    RESET = "reset"
    CLOSE = "close"


@attrs.frozen
class Pause:
    """Send nothing for so many *seconds*, or until the client goes away."""

    seconds: float


Action: TypeAlias = bytes | Pause | Cut
"""One thing that a server does on a connection."""


@attrs.frozen
class Received:
    """One request as the server saw it: its *method*, its *path*, and its *body* as it came.

    *time* is of ``time.monotonic()``; the names of *headers* are in lower case.
    """

    time: float
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Mapping[str, object]:
        """The body as a JSON object; empty if it is none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@attrs.frozen
class Reply:
    """A whole answer: *json* (any value) or *body*, with *status* and *headers*."""

    status: int = 200
    json: object = None
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def __call__(self, request: Received) -> Iterator[Action]:
        """The actions of this answer."""
        body = self.body if self.json is None else json.dumps(self.json).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **self.headers}
        yield head(self.status, headers) + body


@attrs.frozen
class Stream:
    """An answer in events: each a JSON value, or bytes that are sent as they are.

    *delay* is the pause between events in seconds, *headers* go before them, *then* is what follows after the
    last: actions such as ``Cut.RESET`` or ``Pause(60)``; nothing means a proper end.
    """

    events: Iterable[object]
    delay: float = 0.0
    then: tuple[Action, ...] = ()
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def __call__(self, request: Received) -> Iterator[Action]:
        """The actions of this answer."""
        yield head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **self.headers})
        for item in self.events:
            yield chunked(item if isinstance(item, bytes) else event(item))
            if self.delay:
                yield Pause(self.delay)
        yield from self.then or (b"0\r\n\r\n",)


Answer: TypeAlias = Callable[[Received], Iterable[Action]]
"""Makes the actions of an answer for a request; :class:`Reply` and :class:`Stream` are two."""


def head(status: int, headers: Mapping[str, str | None]) -> bytes:
    """Status line and headers; a header of None is left out."""
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunked(data: bytes) -> bytes:
    """*data* as one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: object) -> bytes:
    """*value* as the data of one event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"
