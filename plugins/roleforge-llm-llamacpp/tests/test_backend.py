"""The backend between the host and the server: who gets which server, when."""

import asyncio
import json
import os
import signal
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest
from roleforge_llm_llamacpp.backend import LlamaCppBackend

from roleforge_llm import Backend, Completion, Message, NotFound, Profile, Request, Sampler, Timeout

MESSAGES = (Message("user", "ping"),)
PROMPT = "<|im_start|>user\nping<|im_end|>\n<|im_start|>assistant\n"


class PlainHttp(Backend):
    """Talks to a server with the standard library, and remembers where it was sent."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    def complete(self, request: Request) -> Completion:
        assert request.profile.base_url is not None
        self.urls.append(request.profile.base_url)
        chat = request.endpoint == "chat"
        body: dict[str, object] = {"temperature": 0, "max_tokens": 300, "stop": ["<|im_end|>"]}
        if chat:
            tail = [{"role": "assistant", "content": request.prefill}] if request.prefill else []
            body["messages"] = [message.to_dict() for message in request.messages] + tail
        else:
            body["prompt"] = request.prompt
        path = "/chat/completions" if chat else "/completions"
        headers = {"Authorization": f"Bearer {request.profile.key()}", "Content-Type": "application/json"}
        call = urllib.request.Request(request.profile.base_url + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(call, timeout=30) as reply:
            choice = json.load(reply)["choices"][0]
        return Completion(choice["message"]["content"] if chat else choice["text"])

    def wire_body(self, request: Request) -> Mapping[str, object]:
        return {"prompt": request.prompt}


@pytest.fixture
def talk() -> PlainHttp:
    return PlainHttp()


@pytest.fixture
def backend(_engine: None, talk: PlainHttp) -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend()
    backend.build_on({"openai-compatible": talk}.__getitem__)
    yield backend
    backend.close()


def ask(name: str = "local", model: str = "canary", context: int | None = None, **fields: Any) -> Request:
    sampler = Sampler(max_context_tokens=context)
    profile = Profile(name, backend="llamacpp", model=model, sampler=sampler)
    fields = {"endpoint": "completions", "prompt": PROMPT, **fields}
    return Request(profile, messages=MESSAGES, sampler=sampler, **fields)


def test_the_first_request_starts_the_server(backend: LlamaCppBackend) -> None:
    assert backend.complete(ask()).text == "Hello from chatml. Turn 1. System: no."


def test_profiles_threads_and_tasks_share_the_server_of_a_file(backend: LlamaCppBackend, talk: PlainHttp) -> None:
    threads = [threading.Thread(target=backend.complete, args=(ask(f"p{n}"),)) for n in range(4)]
    for thread in threads:
        thread.start()

    async def gather() -> list[Completion]:
        return await asyncio.gather(*(backend.acomplete(ask(f"a{n}")) for n in range(4)))

    asyncio.run(gather())
    for thread in threads:
        thread.join()
    assert len(talk.urls) == 8
    assert len(set(talk.urls)) == 1


def test_other_files_and_larger_contexts_get_servers_of_their_own(backend: LlamaCppBackend, talk: PlainHttp) -> None:
    for request in (ask(), ask(context=100), ask(context=8192), ask(model="canary-special")):
        backend.complete(request)
    plain, small, large, special = talk.urls
    assert plain == small
    assert len({plain, large, special}) == 3


def test_a_server_that_died_is_started_again_by_the_next_request(backend: LlamaCppBackend, talk: PlainHttp) -> None:
    backend.complete(ask())
    (server,) = backend._servers.values()
    os.kill(server.pid, signal.SIGTERM)
    server._process.wait(20)
    assert backend.complete(ask()).text.startswith("Hello from chatml.")


def test_closing_ends_the_servers_and_the_backend_can_be_used_again(backend: LlamaCppBackend) -> None:
    backend.complete(ask())
    (server,) = backend._servers.values()
    backend.close()
    assert not server.alive
    assert backend.complete(ask()).text.startswith("Hello from chatml.")


def test_streams_come_through_in_both_kinds(backend: LlamaCppBackend) -> None:
    async def collect() -> str:
        return "".join([chunk.text async for chunk in backend.astream(ask(stream=True))])

    whole = "Hello from chatml. Turn 1. System: no."
    assert "".join(chunk.text for chunk in backend.stream(ask(stream=True))) == whole
    assert asyncio.run(collect()) == whole


@pytest.mark.parametrize("model", ["canary", "canary-special"])
def test_the_chat_endpoint_continues_a_prefill_and_its_echo_is_removed(backend: LlamaCppBackend, model: str) -> None:
    request = ask(model=model, endpoint="chat", prompt=None, prefill="Hello from ")
    assert backend.complete(request).text == "chatml. Turn 1. System: no."
    assert asyncio.run(backend.acomplete(request)).text == "chatml. Turn 1. System: no."


def test_a_missing_file_is_an_error_before_anything_starts(backend: LlamaCppBackend, talk: PlainHttp) -> None:
    with pytest.raises(NotFound, match="there is no model file"):
        backend.complete(ask(model="absent.gguf"))
    assert not backend._servers
    assert not talk.urls


def test_a_request_never_waits_beyond_its_deadline(backend: LlamaCppBackend, talk: PlainHttp) -> None:
    with pytest.raises(Timeout):
        backend.complete(ask(deadline=time.monotonic()))
    assert not talk.urls


def test_the_profiles_limit_for_the_first_token_covers_the_loading(backend: LlamaCppBackend) -> None:
    request = ask()
    limits = attrs.evolve(request.profile.timeouts, first_token=0)
    with pytest.raises(Timeout, match="firstToken"):
        backend.complete(attrs.evolve(request, profile=attrs.evolve(request.profile, timeouts=limits)))


def test_showing_the_body_starts_nothing(backend: LlamaCppBackend) -> None:
    assert backend.wire_body(ask()) == {"prompt": PROMPT}
    assert not backend._servers
