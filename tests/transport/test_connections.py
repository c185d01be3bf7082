"""Which connections are kept, for how long, and that nobody shares one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import httpcore2
import pytest

from roleforge_llm import Timeouts
from roleforge_llm.testing import FaultServer, Pause, Received
from roleforge_llm.testing.wire import Action
from roleforge_llm.transport import Call, active, async_http_client, async_opened, http_client, opened
from roleforge_llm.transport.connections import Connections
from roleforge_llm.transport.network import TimedBackend


@pytest.fixture
def server():
    with FaultServer("ok") as server:
        yield server


def kept(server: FaultServer, size: int, seconds: float) -> Connections:
    pool = httpcore2.ConnectionPool(keepalive_expiry=seconds, network_backend=TimedBackend())
    return Connections(pool, size, seconds)


def send(connections: Connections, server: FaultServer) -> httpcore2.Response:
    request = httpcore2.Request("GET", f"{server.base_url}/models", headers=[("host", "localhost")])
    with active(Call(server.base_url, Timeouts())):
        return connections.handle_request(request)


def finish(response: httpcore2.Response, server: FaultServer) -> None:
    with active(Call(server.base_url, Timeouts())):
        for _ in response.stream:
            pass
        response.close()


def test_what_is_read_to_its_end_is_used_again(server):
    connections = kept(server, 10, 60)
    for _ in range(3):
        finish(send(connections, server), server)
    assert server.connections == 1
    connections.close()


def test_what_is_closed_in_the_middle_is_not_used_again(server):
    connections = kept(server, 10, 60)
    send(connections, server).close()
    finish(send(connections, server), server)
    assert server.connections == 2
    connections.close()


def test_no_more_are_kept_than_there_is_room_for(server):
    connections = kept(server, 2, 60)
    for _ in range(2):
        responses = [send(connections, server) for _ in range(5)]
        for response in responses:
            finish(response, server)
    assert server.connections == 5 + 3
    assert len(connections._open) == 2
    connections.close()


def test_what_was_idle_for_too_long_is_closed_when_another_one_is_put_back(server):
    connections = kept(server, 10, 0.0)
    responses = [send(connections, server) for _ in range(5)]
    for response in responses:
        finish(response, server)
    assert len(connections._open) == 0
    connections.close()


def test_threads_never_share_a_connection(server):
    url, texts = f"{server.base_url}/models", []
    call = Call(url, Timeouts())
    with http_client(call.origin) as client:

        def ask() -> None:
            for _ in range(25):
                mine = Call(url, Timeouts())
                with opened(mine, lambda: client.send(client.build_request("GET", url), stream=True)) as body:
                    texts.append(b"".join(body))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(texts), len(set(texts))) == (200, 1)
    assert server.connections <= 8 * 2


def test_a_cancelled_call_leaves_no_connection_open():
    asked = threading.Event()

    async def cancelled(url: str) -> None:
        call = Call(url, Timeouts())
        async with async_http_client(call.origin) as client:
            connections = client._transport._connections

            async def ask() -> None:
                request = client.build_request("GET", url)
                async with async_opened(call, lambda: client.send(request, stream=True)):
                    raise AssertionError("there is no reply")

            task = asyncio.ensure_future(ask())
            await asyncio.to_thread(asked.wait, 10)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not connections._open

    def silence(request: Received) -> Iterator[Action]:
        asked.set()
        yield Pause(60)

    with FaultServer(silence) as server:
        asyncio.run(cancelled(f"{server.base_url}/models"))
