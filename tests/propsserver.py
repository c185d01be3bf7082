"""A server on loopback that tells its template as llama.cpp's does, and can leave out either endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

__all__ = ["PropsServer"]


class PropsServer(ThreadingHTTPServer):
    """*props* answers ``GET /props``, *prompt* makes the answer to ``POST /apply-template``; None answers 404, bytes are sent as
    they are.

    A *prompt* that raises ValueError answers 400. ``asked`` are method, path and headers of the requests.
    """

    def __init__(
        self, props: object = None, prompt: Callable[[list[dict[str, str]]], str] | None = None, folder: str = ""
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.props, self.prompt, self.folder = props, prompt, folder
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_port}{folder}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: PropsServer

    def do_GET(self) -> None:
        self._note()
        self._answer(self.server.props if self.path == f"{self.server.folder}/props" else None)

    def do_POST(self) -> None:
        self._note()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != f"{self.server.folder}/apply-template" or self.server.prompt is None:
            self._answer(None)
            return
        try:
            self._answer({"prompt": self.server.prompt(body["messages"])})
        except ValueError as error:
            self._answer({"error": {"message": str(error)}}, 400)

    def _note(self) -> None:
        self.server.asked.append(
            (self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        )

    def _answer(self, value: object, status: int = 200) -> None:
        found = value if value is not None else {"error": {"message": "not found"}}
        data = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status if value is not None else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it has above
        pass
