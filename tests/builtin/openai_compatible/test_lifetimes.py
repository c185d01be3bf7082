"""Connections, threads, processes, event loops, and what is left when a caller goes away."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from roleforge_llm import ConnectFailed
from roleforge_llm.testing import FaultServer, Pause, Stream
from roleforge_llm.testing.answers import piece
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend

ENDLESS = Stream([piece("one "), piece("two ")], then=(Pause(60),))


@pytest.fixture
def server():
    """A server for each test, so that its connections are those of the test."""
    with FaultServer() as running:
        yield running


def eventually(condition) -> bool:
    """Whether *condition* becomes true before long; a server needs a moment to see what its client did."""
    deadline = time.monotonic() + 2
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def test_calls_one_after_another_share_a_connection_until_a_stream_ends_it(server, backend, request_to):
    for name in ["ok", "500", "ok", "401", "sse_ok", "error_in_200", "400_ctx", "sse_no_done", "ok"] * 3:
        try:
            list(backend.stream(request_to(server.url(name), stream=name.startswith("sse"))))
        except Exception:
            continue
    assert server.connections == 1 + 2 * 3


def test_asynchronous_calls_one_after_another_share_a_connection_until_a_stream_ends_it(server, backend, request_to):
    async def calls() -> None:
        for name in ["ok", "sse_ok", "ok"] * 5:
            request = request_to(server.url(name), stream=name.startswith("sse"))
            async for _ in backend.astream(request):
                pass
        await backend.aclose()

    asyncio.run(calls())
    assert server.connections == 1 + 5
    assert eventually(lambda: server.open_connections == 0)


def test_a_connection_that_the_server_has_closed_is_replaced_without_a_word(server, backend, request_to, caplog):
    session = server.session("stale_keepalive")
    for count in (1, 2, 3):
        assert backend.complete(request_to(session.base_url)).text == "hello world"
        assert eventually(lambda: server.open_connections == 0)
        assert session.count == server.connections == count
    assert caplog.records == []


def test_the_same_asynchronously(server, backend, request_to):
    session = server.session("stale_keepalive")

    async def calls() -> None:
        for _ in range(3):
            assert (await backend.acomplete(request_to(session.base_url))).text == "hello world"
            assert await asyncio.to_thread(eventually, lambda: server.open_connections == 0)
        await backend.aclose()

    asyncio.run(calls())
    assert session.count == server.connections == 3


def test_nothing_is_sent_twice_on_a_connection_of_earlier_use(server, backend, request_to):
    session = server.session(["ok", "reset_before_headers", "ok"])
    backend.complete(request_to(session.base_url))
    with pytest.raises(ConnectFailed):
        backend.complete(request_to(session.base_url))
    assert session.count == 2


def test_closing_the_iterator_closes_the_connection(server, backend, request_to):
    chunks = backend.stream(request_to(server.session([ENDLESS]).base_url, stream=True))
    assert next(chunks).text == "one "
    assert server.open_connections == 1
    chunks.close()
    assert eventually(lambda: server.open_connections == 0)


def test_an_asynchronous_iterator_too_and_no_task_is_left(server, backend, request_to):
    async def leave() -> None:
        chunks = backend.astream(request_to(server.session([ENDLESS]).base_url, stream=True))
        assert (await anext(chunks)).text == "one "
        await chunks.aclose()
        assert len(asyncio.all_tasks()) == 1
        await backend.aclose()

    asyncio.run(leave())
    assert eventually(lambda: server.open_connections == 0)


@pytest.mark.parametrize("fault", ["read_timeout", "slow_headers", "stall_mid_body", "sse_stall"])
def test_cancellation_ends_a_call_at_once_and_leaves_nothing(server, backend, request_to, fault):
    async def cancelled() -> None:
        session = server.session(fault)
        request = request_to(session.base_url, stream=fault.startswith("sse"))
        task = asyncio.create_task(_drained(backend.astream(request)))
        assert await asyncio.to_thread(eventually, lambda: session.count == 1)
        await asyncio.sleep(0.05)  # so that something of the reply has come
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 0.2
        assert len(asyncio.all_tasks()) == 1
        await backend.aclose()

    before = threading.active_count()
    asyncio.run(cancelled())
    assert eventually(lambda: server.open_connections == 0)
    assert threading.active_count() == before


async def _drained(chunks) -> None:
    async for _ in chunks:
        pass


def test_one_backend_serves_sixteen_threads(server, backend, request_to):
    urls = [server.session("ok").base_url for _ in range(16)]

    def calls(url) -> set[str]:
        return {backend.complete(request_to(url)).text for _ in range(10)}

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(calls, urls)) == [{"hello world"}] * 16
    assert server.connections <= 16


def test_event_loops_one_after_another(server, request_to):
    backend = OpenAICompatibleBackend()

    async def call() -> str:
        try:
            return (await backend.acomplete(request_to(server.base_url))).text
        finally:
            await backend.aclose()

    assert [asyncio.run(call()) for _ in range(3)] == ["hello world"] * 3


def test_event_loops_at_the_same_time(server, request_to):
    backend, together = OpenAICompatibleBackend(), threading.Barrier(4)

    async def calls() -> set[str]:
        together.wait()
        found = [(await backend.acomplete(request_to(server.base_url))).text for _ in range(10)]
        await backend.aclose()
        return set(found)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: asyncio.run(calls()), range(4))) == [{"hello world"}] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_opens_connections_of_its_own(server, backend, request_to):
    session = server.session("ok")
    backend.complete(request_to(session.base_url))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def child() -> None:
        queue.put({backend.complete(request_to(session.base_url)).text for _ in range(5)})

    process = context.Process(target=child)
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert queue.get() == {"hello world"}
    assert backend.complete(request_to(session.base_url)).text == "hello world"
    assert server.connections == 2, "the parent's connection was left alone"


INTERRUPTED = """
import os, signal, sys, threading
from roleforge_llm import Message, Profile, Request, Sampler
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend

signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background has it ignored
backend = OpenAICompatibleBackend()
request = Request(Profile("p", base_url=sys.argv[1]), "chat", (Message("user", "Hi"),), Sampler(), stream=True)
chunks = backend.stream(request)
next(chunks), next(chunks)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    next(chunks)
except KeyboardInterrupt:
    print("interrupted", flush=True)
sys.stdin.read()
"""


def test_ctrl_c_in_the_middle_of_a_read_closes_the_connection(server):
    session = server.session([ENDLESS])
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, session.base_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "interrupted\n"
        assert eventually(lambda: server.open_connections == 0), "while the process still lives"
        process.stdin.close()
    assert process.returncode == 0


def test_a_closed_backend_can_be_used_again(server, backend, request_to):
    for _ in range(2):
        assert backend.complete(request_to(server.base_url)).text == "hello world"
        backend.close()
        assert eventually(lambda: server.open_connections == 0)
    assert server.connections == 2
