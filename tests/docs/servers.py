"""The servers that a page talks to: real ones on loopback, under the addresses that the page shows."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

from roleforge_llm.testing import FaultServer

__all__ = ["Servers"]


class Servers:
    """Starts servers, and translates between the addresses that a page shows and the real ones."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._real: dict[str, str] = {}

    def start(self, shown: str, script: list[str]) -> None:
        """Let a server that plays *script* answer at the address *shown*."""
        server = self._stack.enter_context(FaultServer(script))
        self._real[shown] = server.base_url

    def refuse(self, shown: str) -> None:
        """Let the address *shown* refuse connections: its port is held, but nobody listens."""
        held = self._stack.enter_context(socket.socket())
        held.bind(("127.0.0.1", 0))
        self._real[shown] = f"http://127.0.0.1:{held.getsockname()[1]}/v1"

    def real(self, text: str) -> str:
        """*text* of a page, leading to the real servers."""
        for shown, real in self._real.items():
            text = text.replace(shown, real)
        return text

    def shown(self, text: str) -> str:
        """What came out, with the addresses of the page."""
        for shown, real in self._real.items():
            text = text.replace(real, shown).replace(_origin(real), _origin(shown))
        return text


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
