"""What calls cost, where that can be counted: function calls, requests, connections, memory that stays."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import pytest

import roleforge_llm as rf
from roleforge_llm.testing import FaultServer, Stream, no_waiting
from roleforge_llm.testing.answers import piece
from tests.performance.counting import Work, at_most, counting


def settings(server: FaultServer, **more: object) -> dict[str, object]:
    """One profile for *server*."""
    return {"profiles": {"p": {"type": "openai", "baseURL": server.base_url, "apiKey": "k", "model": "m", **more}}}


def conversation(messages: int) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": f"This is message {n}."} for n in range(messages - 1)] + [
        {"role": "user", "content": "And this is the last one."}
    ]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer("ok") as server:
        yield server


@pytest.fixture
def client(server) -> Iterator[rf.Client]:
    with rf.Client(settings(server)) as client:
        client.complete(conversation(1))  # what only the first call does
        yield client


def of_a_call(client: rf.Client, messages: int) -> Work:
    with counting() as work:
        client.complete(conversation(messages))
    return work


def test_a_call_does_no_more_than_it_did(client):
    at_most(3400, "a call with one message", Work(), of_a_call(client, 1), 1, "calls.py")


def test_a_message_of_history_costs_a_few_function_calls(client):
    at_most(12, "a message", of_a_call(client, 3), of_a_call(client, 203), 200, "calls.py")


def of_a_stream(client: rf.Client) -> Work:
    with counting() as work, client.stream(conversation(1)) as stream:
        list(stream)
    return work


def tokens(count: int) -> Stream:
    return Stream([*[piece(f" word{n}") for n in range(count)], piece(None, "stop"), b"[DONE]"])


def test_a_streamed_token_does_no_more_than_it_did():
    with FaultServer(["ok", tokens(100), tokens(300)]) as server, rf.Client(settings(server)) as client:
        client.complete(conversation(1))
        at_most(170, "a streamed token", of_a_stream(client), of_a_stream(client), 200, "streams.py")


async def of_calls_at_once(client: rf.AsyncClient, count: int) -> Work:
    with counting() as work:
        await asyncio.gather(*(client.complete(conversation(1)) for _ in range(count)))
    return work


def test_a_call_costs_the_same_however_many_are_in_flight(server):
    async def few_and_many() -> tuple[Work, Work]:
        patient = {"connect": 600, "firstToken": 600, "idle": 600, "attempt": 600}  # counting takes its time
        async with rf.AsyncClient(settings(server, timeouts=patient)) as client:
            await client.complete(conversation(1))
            return await of_calls_at_once(client, 10), await of_calls_at_once(client, 110)

    few, many = asyncio.run(few_and_many())
    at_most(few.total() / 10 * 1.15, "a call among many", few, many, 100, "in_flight.py")


def test_calls_in_a_row_use_one_connection(server, client):
    for _ in range(20):
        client.complete(conversation(1))
    assert (server.count, server.connections) == (21, 1)


def test_calls_at_once_use_a_connection_each_and_again(server):
    async def twice() -> list[int]:
        async with rf.AsyncClient(settings(server)) as client:
            made = []
            for _ in range(2):
                await asyncio.gather(*(client.complete(conversation(1)) for _ in range(30)))
                made.append(server.connections)
        return made

    first, second = asyncio.run(twice())
    assert first == second <= 30


def test_a_fall_over_makes_no_request_more_than_its_retries():
    with FaultServer("503") as busy, FaultServer("ok") as well, no_waiting():
        config = settings(busy, fallbackProfiles=["well"], retryConfig={"maxRetries": 3})
        config["profiles"]["well"] = settings(well)["profiles"]["p"]
        with rf.Client(config) as client:
            client.complete(conversation(1))
        assert (busy.count, well.count) == (4, 1)


def test_a_second_client_reads_no_certificates_again():
    from roleforge_llm.transport import http_client

    http_client("https://127.0.0.1:9").close()
    with counting() as work:
        http_client("https://127.0.0.1:8").close()
    assert not [name for name in work if "load_verify" in name or "create_ssl_context" in name]


def ours_alive() -> Counter[type]:
    """How many objects of each of our classes there are; the test's server is not what is asked about."""
    gc.collect()
    packages = ("roleforge_llm.client", "roleforge_llm.backends", "roleforge_llm.transport", "roleforge_llm.messages")
    return Counter(type(found) for found in gc.get_objects() if type(found).__module__.startswith(packages))


def test_nothing_of_a_call_stays(client):
    def alive_after(calls: int) -> Counter[type]:
        for _ in range(calls):
            client.complete(conversation(2))
            with client.stream(conversation(2)) as stream:
                list(stream)
        return ours_alive()

    at_first = alive_after(3)
    assert not alive_after(20) - at_first


def test_a_long_history_is_copied_once(client):
    """The messages of a call stand in memory as they came, as one body of JSON, and on their way out."""
    history = [{"role": "user", "content": "x" * 50_000} for _ in range(40)]
    client.complete(history)
    tracemalloc.start()
    try:
        client.complete(history)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4.5 * 2_000_000, f"a call with 2 MB of text takes {peak / 1e6:.1f} MB"
