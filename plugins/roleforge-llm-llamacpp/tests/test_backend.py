"""The backend between the host and the server: who gets which server, when."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from roleforge_llm_llamacpp.backend import LlamaCppBackend
from roleforge_llm_llamacpp.server import LlamaServer

from roleforge_llm import Completion, Message, NotFound, Profile, Request, Sampler, Timeout

MESSAGES = (Message("user", "ping"),)
ANSWER = "Hello from chatml. Turn 1. System: no."
PROMPT = "<|im_start|>user\nping<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def backend(_engine: None) -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend()
    yield backend
    backend.close()


def ask(name: str = "local", model: str = "canary", context: int | None = None, **fields: Any) -> Request:
    sampler = Sampler(temperature=0, max_tokens=100, max_context_tokens=context)
    profile = Profile(name, backend="llamacpp", model=model, sampler=sampler)
    fields = {"endpoint": "completions", "prompt": PROMPT, "stop": ("<|im_end|>",), **fields}
    return Request(profile, messages=MESSAGES, sampler=sampler, **fields)


def servers(backend: LlamaCppBackend) -> list[LlamaServer]:
    return list(backend._embedded._servers.values())


def test_the_first_request_starts_the_server(backend: LlamaCppBackend) -> None:
    assert backend.complete(ask()).text == ANSWER


def test_profiles_threads_and_tasks_share_the_server_of_a_file(backend: LlamaCppBackend) -> None:
    found: list[Completion] = []
    threads = [
        threading.Thread(target=lambda n: found.append(backend.complete(ask(f"p{n}"))), args=(n,)) for n in range(4)
    ]
    for thread in threads:
        thread.start()

    async def gather() -> list[Completion]:
        try:
            return await asyncio.gather(*(backend.acomplete(ask(f"a{n}")) for n in range(4)))
        finally:
            for thread in threads:
                thread.join()
            await backend._api.aclose()

    found += asyncio.run(gather())
    assert [each.text for each in found] == [ANSWER] * 8
    assert len(servers(backend)) == 1


def test_other_files_and_larger_contexts_get_servers_of_their_own(backend: LlamaCppBackend) -> None:
    counts = []
    for request in (ask(), ask(context=100), ask(context=8192), ask(model="canary-special")):
        backend.complete(request)
        counts.append(len(servers(backend)))
    assert counts == [1, 1, 2, 3]


def test_a_server_that_died_is_started_again_by_the_next_request(backend: LlamaCppBackend) -> None:
    backend.complete(ask())
    (server,) = servers(backend)
    os.kill(server.pid, signal.SIGTERM)
    server._process.wait(20)
    assert backend.complete(ask()).text.startswith("Hello from chatml.")


def test_closing_ends_the_servers_and_the_backend_can_be_used_again(backend: LlamaCppBackend) -> None:
    backend.complete(ask())
    (server,) = servers(backend)
    backend.close()
    assert not server.alive
    assert backend.complete(ask()).text.startswith("Hello from chatml.")


def test_a_missing_file_is_an_error_before_anything_starts(backend: LlamaCppBackend) -> None:
    with pytest.raises(NotFound, match="there is no model file"):
        backend.complete(ask(model="absent.gguf"))
    assert not servers(backend)


def test_a_request_never_waits_beyond_its_deadline(backend: LlamaCppBackend) -> None:
    with pytest.raises(Timeout, match="still loading"):
        backend.complete(ask(deadline=time.monotonic()))


def test_the_profiles_limit_for_the_first_token_covers_the_loading(backend: LlamaCppBackend) -> None:
    request = ask()
    limits = attrs.evolve(request.profile.timeouts, first_token=0)
    with pytest.raises(Timeout, match="firstToken"):
        backend.complete(attrs.evolve(request, profile=attrs.evolve(request.profile, timeouts=limits)))


def test_a_question_waits_no_longer_for_the_loading_than_its_attempt_may_take(backend: LlamaCppBackend) -> None:
    profile = ask().profile
    with pytest.raises(Timeout, match="still loading"):
        backend.server_template(attrs.evolve(profile, timeouts=attrs.evolve(profile.timeouts, attempt=0)))


def test_showing_the_body_starts_nothing(backend: LlamaCppBackend) -> None:
    assert backend.wire_body(ask())["prompt"] == PROMPT
    assert backend.context_window(ask().profile) == 1024
    assert not servers(backend)
