"""Size limits, measured from outside: memory in a process of its own, and how long the event loop stands still."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from roleforge_llm.testing import FaultServer

PROGRAM = """
import asyncio, resource, sys
from roleforge_llm import Message, Profile, Request, Sampler
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend

backend = OpenAICompatibleBackend()
how = sys.argv[1]


def request(url, stream):
    return Request(Profile("p", base_url=url), "chat", (Message("user", "Hi"),), Sampler(), stream=stream)


async def drained(chunks):
    async for chunk in chunks:
        pass


def kind(url, stream):
    try:
        if how == "sync":
            for chunk in backend.stream(request(url, stream)) if stream else [backend.complete(request(url, stream))]:
                pass
        elif stream:
            asyncio.run(drained(backend.astream(request(url, stream))))
        else:
            asyncio.run(backend.acomplete(request(url, stream)))
    except Exception as error:
        return type(error).__name__ + " " + error.kind
    return "ok"


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


kind(sys.argv[2], False)
for url in sys.argv[3:]:
    before = peak()
    print(kind(url, "stream" in url), peak() - before, sep="|")
"""


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_bomb_a_huge_body_and_an_endless_line_cost_less_than_100_megabytes(how):
    faults = {"gzip_bomb": "TooLarge body", "huge_body": "TooLarge body", "sse_huge_line": "TooLarge line"}
    with FaultServer() as server:
        urls = [server.url(name) + ("/stream" if name.startswith("sse") else "") for name in faults]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, how, server.url("ok"), *urls],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    seen = [line.split("|") for line in done.stdout.splitlines()]
    assert [kind for kind, _ in seen] == list(faults.values())
    assert all(int(kibibytes) < 100 * 1024 for _, kibibytes in seen), seen


def test_a_long_error_does_not_hold_up_the_event_loop(server, backend, request_to):
    async def longest_gap() -> float:
        call = asyncio.create_task(asyncio.wait_for(_failed(backend, request), 10))
        longest, before = 0.0, time.perf_counter()
        while not call.done():
            await asyncio.sleep(0)
            longest, before = max(longest, time.perf_counter() - before), time.perf_counter()
        assert "answered 500" in await call
        await backend.aclose()
        return longest

    async def warmed() -> float:
        await _failed(backend, request_to(server.url("500")))
        return min([await longest_gap() for _ in range(3)])

    request = request_to(server.url("500_big"))
    assert asyncio.run(warmed()) < 0.05


async def _failed(backend, request) -> str:
    try:
        await backend.acomplete(request)
    except Exception as error:
        return str(error)
    return ""


def test_of_a_long_error_only_the_beginning_is_read(server, backend, request_to, outcome):
    session = server.session("500_big")
    error = outcome(backend, request_to(session.base_url)).error
    assert len(str(error)) <= 500
