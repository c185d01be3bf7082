"""Finding servers on this machine."""

from __future__ import annotations

import time

import pytest

from roleforge_llm.testing import FaultServer, Reply
from roleforge_llm_builtin.openai_compatible import discover

NAMES = ("name", "Product")


def port_of(server: FaultServer) -> int:
    return int(server.base_url.split(":")[2].split("/")[0])


def found(answer):
    with FaultServer([answer]) as server:
        port = port_of(server)
        return port, list(discover({port: NAMES}))


def test_a_server_that_lists_its_models_is_found():
    port, (server,) = found(Reply(json={"data": [{"id": "llama"}, {"id": "qwen"}, {"no": "id"}]}))
    assert (server.name, server.description) == ("name", f"Product on port {port} with llama, qwen")
    assert server.settings == {"baseURL": f"http://127.0.0.1:{port}/v1", "model": "llama"}


def test_a_server_without_models_is_found_too():
    port, (server,) = found(Reply(json={"data": []}))
    assert server.settings == {"baseURL": f"http://127.0.0.1:{port}/v1"}


@pytest.mark.parametrize(
    "answer", ["html_200", "html_404", "json_array", "json_null", "json_deep", "401", "not_http", "redirect_other", "gzip_bomb",
               Reply(json={"data": None}), Reply(json={"data": {}})],
)  # fmt: skip
def test_whatever_else_answers_is_passed_over(answer):
    assert found(answer)[1] == []


def test_a_server_that_drips_is_waited_for_only_shortly():
    began = time.monotonic()
    assert found("slow_headers")[1] == []
    assert time.monotonic() - began < 1.5


def test_nothing_listens_nothing_is_found():
    with FaultServer() as server:
        port = int(server.url("refuse").split(":")[2].split("/")[0])
    assert list(discover({port: NAMES})) == []
