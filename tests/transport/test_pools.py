"""Which client serves which call, and what it takes from the environment."""

from __future__ import annotations

import asyncio
import threading

import pytest

from roleforge_llm import Backend, BadReply, Completion, Message, Profile, Request, Sampler, Timeouts
from roleforge_llm.testing import FaultServer, Reply
from roleforge_llm.transport import Call, PerLoop, PerProcess, http_client, opened, read_json


def test_there_is_one_client_for_each_origin():
    clients = PerProcess(lambda origin: object())
    assert clients.get("http://a") is clients.get("http://a")
    assert clients.get("http://a") is not clients.get("http://b")


def test_drained_clients_are_forgotten():
    clients = PerProcess(lambda origin: object())
    first = clients.get("http://a")
    assert clients.drain() == [first]
    assert clients.drain() == []
    assert clients.get("http://a") is not first


def test_threads_that_ask_at_once_get_the_same_client():
    clients, together, found = PerProcess(lambda origin: object()), threading.Barrier(8), []

    def ask() -> None:
        together.wait()
        found.append(clients.get("http://a"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {clients.get("http://a")}


def test_event_loops_have_clients_of_their_own_and_ended_ones_are_forgotten():
    clients = PerLoop(lambda origin: object())

    async def twice() -> object:
        assert clients.get("http://a") is clients.get("http://a")
        return clients.get("http://a")

    assert asyncio.run(twice()) is not asyncio.run(twice())
    asyncio.run(twice())
    assert len(clients._loops) == 1


@pytest.fixture
def proxied(monkeypatch):
    with FaultServer(["ok"]) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base_url.removesuffix("/v1").rpartition("/s/")[0])
        monkeypatch.setenv("no_proxy", "")
        yield proxy


def answers(url: str) -> bool:
    call = Call(url, Timeouts(connect=2, first_token=2))
    with http_client(call.origin) as client:
        request = client.build_request("GET", url)
        with opened(call, lambda: client.send(request, stream=True)) as body:
            return bool(b"".join(body))


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(proxied):
    assert answers("http://model-server.invalid/v1/models")
    assert proxied.count == 1
    assert proxied.requests[0].path.startswith("http://model-server.invalid")
    with FaultServer("ok") as direct:
        for host in ("127.0.0.1", "localhost"):
            assert answers(direct.base_url.replace("127.0.0.1", host))
        assert (proxied.count, direct.count) == (1, 2)


class PlainBackend(Backend):
    """The example of the package's documentation."""

    def __init__(self) -> None:
        self._clients = PerProcess(http_client)

    def complete(self, request: Request) -> Completion:
        profile = request.profile
        url = f"{profile.base_url}/generate"
        call = Call(url, profile.timeouts, request.deadline, profile.secrets())
        client = self._clients.get(call.origin)
        message = client.build_request("POST", url, json={"prompt": request.prompt})
        with opened(call, lambda: client.send(message, stream=True)) as body:
            document = read_json(b"".join(body))
        return Completion(document["text"])

    def close(self) -> None:
        for client in self._clients.drain():
            client.close()


def test_a_backend_for_another_interface_is_a_few_lines():
    with FaultServer([Reply(json={"text": "Hi"}), "truncated_json"]) as server:
        backend = PlainBackend()
        profile = Profile("p", base_url=server.base_url)
        request = Request(profile, "completions", (Message("user", "Hi"),), Sampler(), prompt="P")
        assert backend.complete(request).text == "Hi"
        with pytest.raises(BadReply):
            backend.complete(request)
        backend.close()
        assert [received.json["prompt"] for received in server.requests] == ["P", "P"]
