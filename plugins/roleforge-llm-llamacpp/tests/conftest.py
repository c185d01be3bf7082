"""Fixtures: running canary servers, and the reason to skip where the engine cannot run."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from roleforge_llm_llamacpp.models import model_file
from roleforge_llm_llamacpp.server import STARTING, LlamaServer

from roleforge_llm import BackendError, Profile

REMOTE = """
import sys
import xllamacpp
parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
parameters.api_prefix = "/llama"
parameters.api_keys = ["the-key"]
parameters.n_ctx = 2048
parameters.n_parallel = 2
parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
parameters.verbosity = 0
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
"""A server as somebody else may run it: behind a prefix, with a key of theirs, and /slots."""


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


@contextmanager
def somebody_elses(port: int = 0) -> "Iterator[subprocess.Popen[str]]":
    """The process of a server that begins to load its model."""
    command = [sys.executable, "-c", REMOTE, str(model_file("canary")), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture(scope="session")
def remote_root(_engine: None) -> Iterator[str]:
    """The address of a server that this plugin has not started, up to its prefix."""
    with somebody_elses() as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip() + "/llama"


@pytest.fixture
def loading_root(_engine: None) -> Iterator[str]:
    """The address of such a server that has just been started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with somebody_elses(port):
        yield f"http://127.0.0.1:{port}/llama"


@pytest.fixture
def remote(remote_root: str) -> Callable[..., Profile]:
    """Makes profiles that lead to that server."""

    def profile(**fields: Any) -> Profile:
        fields = {"backend": "llamacpp", "base_url": f"{remote_root}/v1", "api_key": "the-key", **fields}
        return Profile("remote", **fields)

    return profile
