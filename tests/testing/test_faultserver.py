"""The fault server of the testing kit."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading

import pytest

import roleforge_llm as rf
from roleforge_llm import testing
from roleforge_llm.config import parse_config
from roleforge_llm.testing import Cut, FaultServer, Reply, Stream, no_waiting


def ask(url: str) -> int:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("POST", f"/{path}/chat/completions", body=b'{"a": 1}', headers={"X-A": "b"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_an_application_is_tested_like_this():
    with FaultServer(["503", "reset_mid_body", "ok"]) as server, no_waiting():
        config = parse_config({"profiles": {"main": {"baseURL": server.base_url}}})
        with rf.Client(config) as client:
            completion = client.complete([{"role": "user", "content": "Hi"}])
        assert completion.text == "hello world"
        assert [attempt.ok for attempt in completion.attempts] == [False, False, True]
        assert server.count == 3


def test_the_script_is_played_in_order_and_its_last_entry_repeats():
    with FaultServer(["503", Reply(418), "401"]) as server:
        assert [ask(server.base_url) for _ in range(5)] == [503, 418, 401, 401, 401]


def test_a_session_has_a_script_and_a_count_of_its_own():
    with FaultServer("500") as server:
        other = server.session("404")
        assert [ask(server.base_url), ask(other.base_url), ask(other.base_url)] == [500, 404, 404]
        assert (server.count, other.count) == (1, 2)


def test_requests_are_kept_as_they_came():
    with FaultServer() as server:
        ask(server.base_url)
        (request,) = server.requests
    assert (request.method, request.json, request.headers["x-a"]) == ("POST", {"a": 1}, "b")
    assert request.path.endswith("/v1/chat/completions")


def test_an_entry_may_be_a_function():
    with FaultServer([lambda request: Reply(int(request.headers["content-length"]) + 400)(request)]) as server:
        assert ask(server.base_url) == 408


def test_a_stream_ends_as_it_is_told():
    with FaultServer([Stream([{"a": 1}]), Stream([{"a": 1}], then=(Cut.RESET,))]) as server:
        host = server.base_url.split("/")[2]
        for broken in (False, True):
            connection = http.client.HTTPConnection(host, timeout=5)
            connection.request("POST", server.base_url, body=b"{}")
            if broken:
                with pytest.raises(ConnectionResetError):
                    connection.getresponse().read()
            else:
                assert connection.getresponse().read() == b'data: {"a": 1}\n\n'
            connection.close()


@pytest.mark.parametrize("script", [["no_such_fault"], [], "503x"])
def test_an_unknown_fault_or_an_empty_script_is_refused(script):
    with pytest.raises(ValueError, match="no such fault"), FaultServer(script):
        pass


def test_every_fault_has_a_name_and_can_be_played():
    with FaultServer() as server:
        for name in (*server.faults, *server.connection_faults):
            assert server.url(name).endswith("/v1")


def test_nothing_is_left_after_the_end():
    before = threading.active_count()
    with FaultServer("read_timeout") as server:
        host = server.base_url.split("/")[2]
        connection = http.client.HTTPConnection(host, timeout=5)
        connection.request("POST", server.base_url, body=b"{}")
    assert threading.active_count() == before
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        ask(server.base_url)


def test_everything_public_is_there_and_loaded_only_when_used():
    assert {"FaultServer", "Reply", "Stream", "ScriptedBackend", "Step", "no_waiting"} <= set(testing.__all__)
    assert all(getattr(testing, name) is not None for name in testing.__all__)
    program = (
        "import sys, roleforge_llm.testing; print([m for m in sys.modules if m.startswith('roleforge_llm.testing.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
