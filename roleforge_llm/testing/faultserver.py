"""A scripted server that fails as real ones do, for tests of applications and plugins.

::

    with FaultServer(["503", "reset_mid_body", "ok"]) as server:
        ...                             # point a profile's baseURL at server.base_url
        assert server.count == 3

The script is played request by request, its last entry again and again. An entry is a name of
:data:`FaultServer.faults`, a :class:`Reply`, a :class:`Stream`, or a function from the request to actions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeAlias

from roleforge_llm.testing.faults import FAULTS
from roleforge_llm.testing.wire import Action, Answer, Cut, Pause, Received, Reply, Stream, WrongAnswer, played

__all__ = ["Cut", "Entry", "FaultServer", "Pause", "Received", "Reply", "Session", "Stream"]

Entry: TypeAlias = str | Answer
"""One entry of a script."""

_CERTIFICATE = Path(__file__).parent / "selfsigned.pem"
_BACKLOG = 4096
"""Connections that may wait to be accepted: one more than that gets no answer until it tries again, seconds later."""
_REDIRECTS = {"redirect_port": "127.0.0.1", "redirect_other": "localhost"}
_LINGER_NOTHING = struct.pack("ii", 1, 0)


class Session:
    """One script, and the ``requests`` that came in for it. ``base_url`` is what a profile's baseURL must be."""

    def __init__(self, base_url: str, script: Sequence[Entry]) -> None:
        self.base_url = base_url
        self.requests: list[Received] = []
        self._script = list(script)

    @property
    def count(self) -> int:
        """How many requests came in."""
        return len(self.requests)

    def answer(self, request: Received) -> Iterable[Action]:
        """Note *request* and give the actions of its answer."""
        self.requests.append(request)
        entry = self._script[min(self.count, len(self._script)) - 1]
        return played(FAULTS[entry] if isinstance(entry, str) else entry, request)


class FaultServer:
    """A server on 127.0.0.1 that plays *script*; a context manager that runs it in a thread of its own."""

    faults: ClassVar[Mapping[str, Answer]] = FAULTS
    """Every fault by its name."""

    connection_faults: ClassVar[tuple[str, ...]] = ("refuse", "dns", "conn_timeout", "tls_selfsigned", "tls_to_plain")
    """Faults before any request: names for :meth:`url` only, since no script is reached."""

    def __init__(self, script: Sequence[Entry] | Entry = "ok") -> None:
        self.wrong: list[WrongAnswer] = []
        """What functions in scripts did wrong; the client sees a connection that is closed."""
        self._sessions: list[Session] = []
        self._first_script = _entries(script)
        self._open: set[asyncio.StreamWriter] = set()
        self._accepted = 0
        self._sockets: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        self._sockets = {name: _listening() for name in ("plain", "tls", "other")}
        self._first = self.session(self._first_script)
        self._elsewhere = Session(f"{self._origin('other')}/v1", ["ok"])
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fault-server", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        for listener in self._sockets.values():
            listener.close()

    @property
    def base_url(self) -> str:
        """What a profile's baseURL must be to get the server's own script."""
        return self._first.base_url

    @property
    def requests(self) -> list[Received]:
        """The requests that came in for the server's own script, in order."""
        return self._first.requests

    @property
    def count(self) -> int:
        """How many requests came in for the server's own script."""
        return self._first.count

    @property
    def connections(self) -> int:
        """How many connections were accepted in all, on every port."""
        return self._accepted

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    @property
    def leaked(self) -> list[Received]:
        """The requests that reached the other origin, to which ``redirect_other`` and ``redirect_port`` point."""
        return self._elsewhere.requests

    def session(self, script: Sequence[Entry] | Entry) -> Session:
        """One more script on the same server, with an address, requests and count of its own."""
        elsewhere = self._redirects()
        entries = [elsewhere.get(entry, entry) if isinstance(entry, str) else entry for entry in _entries(script)]
        session = Session(f"{self._origin('plain')}/s/{len(self._sessions)}/v1", entries)
        self._sessions.append(session)
        return session

    def url(self, fault: str) -> str:
        """An address that shows *fault*: one of :attr:`connection_faults`, or a new session of any other."""
        match fault:
            case "refuse":
                return f"http://127.0.0.1:{_closed_port()}/v1"
            case "dns":
                return "http://no-such-host.invalid/v1"
            case "conn_timeout":
                return f"http://127.0.0.1:{self._full_port()}/v1"
            case "tls_selfsigned":
                return f"{self._origin('tls')}/v1"
            case "tls_to_plain":
                return f"{self._origin('plain').replace('http:', 'https:')}/v1"
        return self.session(fault).base_url

    def _redirects(self) -> dict[str, Answer]:
        path = f":{self._port('other')}/v1/chat/completions"
        return {name: Reply(307, headers={"location": f"http://{host}{path}"}) for name, host in _REDIRECTS.items()}

    def _port(self, name: str) -> int:
        port: int = self._sockets[name].getsockname()[1]
        return port

    def _origin(self, name: str) -> str:
        return f"{'https' if name == 'tls' else 'http'}://127.0.0.1:{self._port(name)}"

    def _full_port(self) -> int:
        # A listener that accepts nothing, its queue full: a further connection gets no answer.
        if "full" in self._sockets:
            return self._port("full")
        listener = self._sockets["full"] = _listening(backlog=0)
        for number in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(listener.getsockname())
            self._sockets[f"filler-{number}-{filler.fileno()}"] = filler
        return self._port("full")

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(_CERTIFICATE)
        for name, listener in list(self._sockets.items())[:3]:
            context = tls if name == "tls" else None
            await asyncio.start_server(self._talk, sock=listener, ssl=context, backlog=_BACKLOG)
        await self._stopped.wait()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)  # so that the connections are closed before the loop is

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted += 1
        self._open.add(writer)
        try:
            going = True
            while going and (request := await _read(reader)) is not None:
                going = await _play(self._answer(request, writer), reader, writer)
        except WrongAnswer as error:
            self.wrong.append(error)
            raise  # which asyncio logs
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the server ends: asyncio would log the latter as a fault
        finally:
            self._open.discard(writer)
            writer.close()

    def _answer(self, request: Received, writer: asyncio.StreamWriter) -> Iterable[Action]:
        if writer.get_extra_info("sockname")[1] == self._port("other"):
            return self._elsewhere.answer(request)
        _, _, number, *_ = [*request.path.split("/", 3), ""]
        known = number.isdigit() and int(number) < len(self._sessions)
        return (self._sessions[int(number)] if known else self._first).answer(request)


def _entries(script: Sequence[Entry] | Entry) -> list[Entry]:
    entries = [script] if isinstance(script, str) or callable(script) else list(script)
    unknown = [entry for entry in entries if isinstance(entry, str) and entry not in {*_REDIRECTS, *FAULTS}]
    if unknown or not entries:
        raise ValueError(f"no such fault: {', '.join(unknown) or 'an empty script'}")
    return entries


def _listening(backlog: int = _BACKLOG) -> socket.socket:
    # With the protocol named asyncio turns Nagle's algorithm off: small writes must not wait for each other.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(backlog)
    return listener


def _closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = text.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = dict(_header(line) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(time.monotonic(), method, path, headers, body)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


async def _play(actions: Iterable[Action], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Play *actions*; says whether the connection can take another request."""
    for action in _cut_short(actions):
        if isinstance(action, bytes):
            writer.write(action)
            await writer.drain()
        elif isinstance(action, Pause):
            if await _gone(reader, action.seconds):
                return False
        else:
            if action is Cut.RESET:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
                writer.transport.abort()
            return False
    return True


def _cut_short(actions: Iterable[Action]) -> Iterator[Action]:
    for action in actions:
        yield action
        if isinstance(action, Cut):
            return


async def _gone(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Wait so many *seconds*; says whether the client went away meanwhile, which ends the wait."""
    try:
        # A client says nothing while it waits for an answer, so all that can come is the end.
        return await asyncio.wait_for(reader.read(1), seconds) == b""
    except TimeoutError:
        return False
