"""A backend in front of a fault server, sync and async."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roleforge_llm import Chunk, Completion, Message, Profile, Request, Sampler, Timeouts
from roleforge_llm.testing import FaultServer
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend

ROWS = json.loads((Path(__file__).parents[2] / "data" / "faults.json").read_text(encoding="utf-8"))
KEY = "sk-canary-0123456789"


KINDS_OF_ROWS = {
    "row": lambda row: True,
    "failing_row": lambda row: "error" in row,
    "breaking_row": lambda row: bool(row.get("partial")),
}


def pytest_generate_tests(metafunc):
    """A test is run for every fault of the table, every one that fails, or every one after a part of the text."""
    for name, belongs in KINDS_OF_ROWS.items():
        if name in metafunc.fixturenames:
            rows = [row for row in ROWS if belongs(row)]
            metafunc.parametrize(name, rows, ids=[row["id"] for row in rows])


@pytest.fixture(scope="session")
def rows():
    return ROWS


@pytest.fixture(scope="session")
def key():
    return KEY


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def backend() -> Iterator[OpenAICompatibleBackend]:
    made = OpenAICompatibleBackend()
    yield made
    made.close()


def make_request(
    base_url,
    *,
    stream=False,
    endpoint="chat",
    timeouts=None,
    sampler=None,
    text="Hi",
    deadline=None,
    prompt="P",
    prefill="",
    stop=(),
    tools=None,
    response_format=None,
    **profile,
) -> Request:
    settings = {"api_key": KEY, "model": "m", "timeouts": timeouts or Timeouts(), **profile}
    return Request(
        profile=Profile("p", base_url=base_url, **settings),
        endpoint=endpoint,
        messages=(Message("user", text),),
        sampler=sampler or Sampler(),
        prompt=prompt if endpoint == "completions" else None,
        prefill=prefill,
        stop=stop,
        stream=stream,
        tools=tools,
        response_format=response_format,
        deadline=deadline,
    )


@pytest.fixture(scope="session")
def request_to() -> Callable[..., Request]:
    return make_request


class Outcome:
    """What came of one request: the text so far, and the last chunk, the completion or the error."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.reply: Completion | Chunk | None = None
        self.error: Exception | None = None

    def take(self, chunk: Completion | Chunk) -> None:
        self._pieces.append(chunk.text)
        self.reply = chunk

    @property
    def text(self) -> str:
        return "".join(self._pieces)


def sync_outcome(backend, request) -> Outcome:
    outcome = Outcome()
    try:
        if request.stream:
            for chunk in backend.stream(request):
                outcome.take(chunk)
        else:
            outcome.take(backend.complete(request))
    except Exception as error:
        outcome.error = error
    return outcome


async def async_outcome(backend, request) -> Outcome:
    outcome = Outcome()
    try:
        if request.stream:
            async for chunk in backend.astream(request):
                outcome.take(chunk)
        else:
            outcome.take(await backend.acomplete(request))
    except Exception as error:
        outcome.error = error
    return outcome


async def async_outcomes(backend, requests) -> list[Outcome]:
    try:
        return await asyncio.gather(*(async_outcome(backend, request) for request in requests))
    finally:
        await backend.aclose()


@pytest.fixture(params=["sync", "async"])
def outcomes(request) -> Callable[..., list[Outcome]]:
    """Sends requests side by side and gives what came of each: once with threads, once with asyncio."""
    return run_sync if request.param == "sync" else run_async


def run_sync(backend, requests) -> list[Outcome]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max(len(requests), 1)) as pool:
        return list(pool.map(lambda request: sync_outcome(backend, request), requests))


def run_async(backend, requests) -> list[Outcome]:
    return asyncio.run(async_outcomes(backend, requests))


@pytest.fixture
def outcome(outcomes) -> Callable[..., Outcome]:
    """:func:`outcomes` for one request."""
    return lambda backend, request: outcomes(backend, [request])[0]


@pytest.fixture(scope="module", params=["sync", "async"])
def run(request) -> Callable[..., list[Outcome]]:
    """:func:`outcomes` for fixtures of a whole module."""
    return run_sync if request.param == "sync" else run_async
