"""What a call asks its server before the request is part of the attempt, and held to its time."""

from __future__ import annotations

import asyncio
import time

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import FaultServer, ScriptedBackend

HELLO = [{"role": "user", "content": "Hello, is anybody there?"}]
NOW = 1000.0


class Asked(ScriptedBackend):
    """Notes by when each question is to be answered."""

    def __init__(self):
        super().__init__("Hi.")
        self.until = {}

    def server_template(self, profile):
        self.until["template"] = NOW + profile.timeouts.attempt
        return rf.ServerTemplate("{% for message in messages %}{{ message.content }}{% endfor %}")

    def context_window(self, profile):
        self.until["window"] = NOW + profile.timeouts.attempt
        return 10

    def count_tokens(self, request):
        self.until["tokens"] = request.deadline
        return 1

    @rf.hookimpl
    def roleforge_backends(self):
        return [self.spec("asked", rf.Capabilities(knows_context_window=True))]


@pytest.mark.parametrize(("timeout", "seconds"), [(5, 5), (None, 600)])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_every_question_is_held_to_the_end_of_the_attempt(timeout, seconds, asynchronous):
    backend = Asked()
    config = parse_config({"profiles": {"p": {"backend": "asked", "template": "server"}}})
    host = rf.PluginHost(plugins=[backend])
    if asynchronous:
        asyncio.run(rf.AsyncClient(config, host, clock=lambda: NOW).complete(HELLO, timeout=timeout))
    else:
        rf.Client(config, host, clock=lambda: NOW).complete(HELLO, timeout=timeout)
    (request,) = backend.requests
    assert backend.until == dict.fromkeys(("template", "window", "tokens"), NOW + seconds)
    assert (request.deadline, request.profile.timeouts.attempt) == (NOW + seconds, 600)


def test_a_server_that_does_not_answer_a_question_costs_no_more_than_the_calls_time():
    with FaultServer(["read_timeout"]) as server:
        config = {"profiles": {"p": {"baseURL": f"{server.base_url}/v1", "template": "server"}}}
        began = time.monotonic()
        with rf.Client(config) as client, pytest.raises(rf.AllProfilesFailed) as caught:
            client.complete(HELLO, timeout=0.3)
    assert time.monotonic() - began < 5
    assert "time limit of 0.3 s" in str(caught.value)


def test_what_is_left_of_a_conversation_has_the_same_deadline():
    backend = Asked()
    backend.count_tokens = lambda request: 2 * len(request.messages)
    config = parse_config({"profiles": {"p": {"backend": "asked", "template": "chatml"}}})
    talk = [*HELLO, {"role": "assistant", "content": "Yes."}] * 4 + HELLO
    rf.Client(config, rf.PluginHost(plugins=[backend]), clock=lambda: NOW).complete(talk, timeout=5)
    (request,) = backend.requests
    assert (len(request.messages) < len(talk), request.deadline) == (True, NOW + 5)
