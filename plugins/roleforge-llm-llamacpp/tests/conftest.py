"""Fixtures: a running canary server, and the reason to skip where the engine cannot run."""

import os
from collections.abc import Callable, Iterator

import pytest
from roleforge_llm_llamacpp.models import model_file
from roleforge_llm_llamacpp.server import STARTING, LlamaServer

from roleforge_llm import BackendError


def started(model: str = "canary") -> LlamaServer:
    with STARTING:
        return LlamaServer(model_file(model))


@pytest.fixture(scope="session")
def _engine() -> None:
    server = started()
    try:
        server.url(60)
    except BackendError as error:
        if error.kind != "engine" or os.environ.get("REQUIRE_LIVE_LLM") == "1":
            raise
        pytest.skip(str(error))
    finally:
        server.close()


@pytest.fixture
def start(_engine: None) -> Iterator[Callable[..., LlamaServer]]:
    """Starts servers, and ends them after the test."""
    servers: list[LlamaServer] = []

    def start(model: str = "canary") -> LlamaServer:
        servers.append(started(model))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def server(start: Callable[..., LlamaServer]) -> LlamaServer:
    """A canary server that has loaded its model."""
    server = start()
    server.url(60)
    return server
