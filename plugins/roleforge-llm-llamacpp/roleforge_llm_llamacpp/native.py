"""llama.cpp's own endpoints, beside the OpenAI-compatible ones.

Source: the README of llama.cpp's server, "POST /tokenize".
"""

from __future__ import annotations

from functools import partial

import httpx2

from roleforge_llm import BadReply, Request
from roleforge_llm.transport import (
    Call,
    PerLoop,
    PerProcess,
    async_http_client,
    async_opened,
    http_client,
    opened,
    read_json,
)

__all__ = ["NativeApi"]


class NativeApi:
    """Asks llama.cpp servers what only they know. One object for all threads and event loops."""

    def __init__(self) -> None:
        self._clients = PerProcess(http_client)
        self._async_clients = PerLoop(async_http_client)

    def count_tokens(self, request: Request, url: str, key: str, text: str) -> int:
        """How many tokens *text* has for the model of the server at *url*, BOS included."""
        call = Call(f"{url}/tokenize", request.profile.timeouts, request.deadline, [key])
        client = self._clients.get(call.origin)
        with opened(call, partial(client.send, _tokenize(client, call, key, text), stream=True)) as body:
            return _length(b"".join(body))

    async def acount_tokens(self, request: Request, url: str, key: str, text: str) -> int:
        """:meth:`count_tokens` for asyncio."""
        call = Call(f"{url}/tokenize", request.profile.timeouts, request.deadline, [key])
        client = self._async_clients.get(call.origin)
        send = partial(client.send, _tokenize(client, call, key, text), stream=True)
        async with async_opened(call, send) as body:
            return _length(b"".join([piece async for piece in body]))

    def close(self) -> None:
        """Close the connections of this process."""
        for client in self._clients.drain():
            client.close()

    async def aclose(self) -> None:
        """Close the connections of this process and of the running event loop."""
        self.close()
        for client in self._async_clients.drain():
            await client.aclose()


def _tokenize(client: httpx2.Client | httpx2.AsyncClient, call: Call, key: str, text: str) -> httpx2.Request:
    # As the completions endpoint does it: BOS added, control tokens in the text read as such.
    body = {"content": text, "add_special": True, "parse_special": True}
    return client.build_request("POST", call.url, json=body, headers={"Authorization": f"Bearer {key}"})


def _length(data: bytes) -> int:
    answer = read_json(data)
    tokens = answer.get("tokens") if isinstance(answer, dict) else None
    if not isinstance(tokens, list):
        raise BadReply("llama.cpp's /tokenize gave no list of tokens", kind="shape")
    return len(tokens)
