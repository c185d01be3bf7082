"""A model server that costs the client nothing to wait for: canned bytes, a process of its own, no HTTP library.

Which reply a request gets is in the first part of its path: ``http://127.0.0.1:PORT/whole/v1/chat/completions``.
Whole replies and streams hold what OpenAI's servers send, each event in an HTTP chunk of its own, as llama.cpp and
vLLM send them.
"""

from __future__ import annotations

import json
import multiprocessing
import selectors
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

__all__ = ["PACE", "TOKENS", "Server"]

TOKENS = 500
"""Tokens in a stream."""

PACE = 0.001
"""Seconds between two tokens of a paced stream."""

_WORDS = "The old house by the river was empty now, but its garden grew on as if nobody had left."
_TOKENS = [f" {word}" for word in _WORDS.split()]


def _event(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "model",
        "system_fingerprint": "fp_1",
        "choices": [choice],
    }
    data = b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _stream(tokens: int) -> list[bytes]:
    """A stream as the pieces in which it is paced: the head, each token, the end."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    last = _event({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
    words = [_event({"content": _TOKENS[number % len(_TOKENS)]}) for number in range(tokens)]
    return [head + _event({"role": "assistant", "content": ""}), *words, last]


def _reply(status: bytes, document: Mapping[str, object]) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


def _whole() -> bytes:
    message = {"role": "assistant", "content": "Hello! How can I help you today?", "refusal": None}
    return _reply(
        b"200 OK",
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "model",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 19},
        },
    )


def _busy() -> bytes:
    return _reply(b"503 Service Unavailable", {"error": {"message": "busy", "type": "server_error", "code": None}})


class Server:
    """The server's process; a context manager. It serves any number of connections, one request at a time."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._kinds = ("whole", "burst", "paced", "first", "busy", "held")
        self._counts = context.Array("Q", len(self._kinds) + 1)
        self._process = context.Process(target=self._run, daemon=True)

    def url(self, kind: str) -> str:
        """The base URL of a server whose replies are of this *kind*.

        They are whole, streams in a burst or paced, the first token alone, busy (503), or held back for ever.
        """
        assert kind in self._kinds
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/{kind}/v1"

    def requests(self, kind: str) -> int:
        """How many requests of *kind* there were."""
        return int(self._counts[self._kinds.index(kind)])

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return int(self._counts[-1])

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._listener.close()

    # ------------------------------------------------------------------ in the server's process

    def _run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._replies = self._canned()
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ, lambda: self._accept(selector))
            while True:
                for key, _ in selector.select():
                    key.data()

    def _canned(self) -> Mapping[bytes, tuple[int, list[bytes]]]:
        """By the first part of the path: the number of the kind, and its reply in the pieces in which it is sent."""
        replies: Sequence[list[bytes]] = (
            [_whole()],
            [b"".join(_stream(TOKENS))],
            _stream(TOKENS),
            [b"".join(_stream(1))],
            [_busy()],
            [],
        )
        return {kind.encode(): (n, reply) for n, (kind, reply) in enumerate(zip(self._kinds, replies, strict=True))}

    def _accept(self, selector: selectors.BaseSelector) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._counts[-1] += 1
        selector.register(connection, selectors.EVENT_READ, self._reader(connection, selector))

    def _reader(self, connection: socket.socket, selector: selectors.BaseSelector) -> Callable[[], None]:
        received = bytearray()

        def read() -> None:
            try:
                data = connection.recv(1 << 20)
                received.extend(data)
                if data and _is_whole(received):
                    self._answer(connection, bytes(received[:40]))
                    received.clear()
            except OSError:
                data = b""
            if not data:
                selector.unregister(connection)
                connection.close()

        return read

    def _answer(self, connection: socket.socket, head: bytes) -> None:
        number, pieces = self._replies[head.split(b"/", 2)[1]]
        self._counts[number] += 1
        for piece in pieces:
            connection.sendall(piece)
            if len(pieces) > 1:
                time.sleep(PACE)


def _is_whole(received: bytearray) -> bool:
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = bytes(received[:end]).lower()
    return len(received) >= end + 4 + int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r")[0] or 0)
