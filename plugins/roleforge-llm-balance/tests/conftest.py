"""Three real llama.cpp servers that can be killed and started again on the same port."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

ENGINE = Path(__file__).with_name("engine.py")


class Server:
    """A llama.cpp server with the canary model."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._port = "0"
        self.start()

    def start(self) -> None:
        """Run it, on the port that it had before."""
        command = [sys.executable, "-P", str(ENGINE), str(self._model), self._port]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._port = self.url.rpartition(":")[2]
        assert self._port, "llama.cpp did not start"

    @property
    def runs(self) -> bool:
        """Whether it has not been killed."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash would."""
        if self.runs:
            self._process.kill()
            self._process.communicate()


class Relay:
    """Stands before the server at *url*, and cuts a streamed reply after some *pieces*: *killing* ends the server."""

    def __init__(self, url: str, pieces: int, killing: Callable[[], None]) -> None:
        self._server = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._pieces = pieces
        self._killing = killing
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._pass_on)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _pass_on(self) -> None:
        caller, _ = self._listener.accept()
        with caller, socket.create_connection(self._server) as server:
            sending = threading.Thread(target=_copy, args=(caller, server))
            sending.start()
            while self._pieces > 0 and (line := _line_of(server)):
                caller.sendall(line)
                self._pieces -= line.startswith(b"data: ")
            self._killing()
            caller.shutdown(socket.SHUT_RDWR)
            sending.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)


def _line_of(source: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n") and (byte := source.recv(1)):
        line += byte
    return line


class Clock:
    """The real one, which a test can move on."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._skipped

    def skip(self, seconds: float) -> None:
        self._skipped += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def _servers() -> Iterator[Sequence[Server]]:
    try:
        import xllamacpp  # noqa: F401  # its system libraries may be missing, too
        from roleforge_llm_llamacpp.models import CANARIES
    except ImportError as error:
        if os.environ.get("REQUIRE_LIVE_LLM") == "1":
            raise
        pytest.skip(f"needs the embedded engine: {error}")
    made = [Server(CANARIES["canary"]) for _ in range(3)]
    yield made
    for server in made:
        server.kill()


@pytest.fixture
def servers(_servers: Sequence[Server]) -> Sequence[Server]:
    """All of them running."""
    for server in _servers:
        if not server.runs:
            server.start()
    return _servers
