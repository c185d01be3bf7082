"""What a fault server plays: answers as actions on the wire."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

import attrs

__all__ = [
    "Action",
    "Answer",
    "Cut",
    "Pause",
    "Received",
    "Reply",
    "Stream",
    "WrongAnswer",
    "chunked",
    "event",
    "head",
    "played",
]


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
    """A whole answer: *json* (any value) or *body*, with *status* and *headers*.

    Called with a request it gives its actions, so that a function may choose it: ``return Reply(404)(request)``.
    """

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
    last: actions such as ``Cut.RESET`` or ``Pause(60)``; nothing means a proper end. Like a :class:`Reply` it gives its
    actions when it is called with a request.
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


class WrongAnswer(Exception):
    """A function that should give the actions of an answer fails, or gives something else."""


def played(answer: Answer, request: Received) -> Iterator[Action]:
    """The actions of *answer*, each looked at. Raises :class:`WrongAnswer`, which names the function."""
    try:
        yield from _looked_at(answer(request))
    except Exception as error:
        name = getattr(answer, "__qualname__", type(answer).__name__)
        raise WrongAnswer(f"the function {name} failed: {type(error).__name__}: {error}") from error


def _looked_at(given: Iterable[Action]) -> Iterator[Action]:
    if isinstance(given, (Reply, Stream)):
        kind = type(given).__name__
        raise TypeError(f"it gave a {kind}, which must be called: return {kind}(...)(request)")
    for action in given:
        if not isinstance(action, (bytes, Pause, Cut)):
            raise TypeError(f"it gave a {type(action).__name__} among its actions, which are bytes, Pause or Cut")
        yield action


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
