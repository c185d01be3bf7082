"""Cooldown and health: who rests, who tries again, and what a policy is told of it."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import roleforge_llm as rf
from roleforge_llm.testing import FaultServer, Session

from .conftest import policy  # type: ignore[import-not-found]  # beside this file

HELLO = [{"role": "user", "content": "Hello!"}]


class Clock:
    """Goes on only when it is told to, by more than any rest."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


def rested(
    client: Callable[..., rf.Client], server: FaultServer, script: list[str], **settings: object
) -> tuple[rf.Client, Session, Clock]:
    """A client whose first profile plays *script* with one request for each call, and rests for a minute."""
    session, clock = server.session(script), Clock()
    first = {"baseURL": session.base_url, "cooldownSeconds": 60, "retryConfig": {"maxRetries": 0}, **settings}
    return client({"a": first, "b": {"baseURL": server.base_url}}, clock=clock), session, clock


def test_after_the_rest_exactly_one_of_sixteen_threads_tries_the_profile(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    calling, session, clock = rested(client, server, ["503"])
    calling.complete(HELLO)
    for tried in (1, 2):
        begin = threading.Barrier(16)

        def call(begin: threading.Barrier = begin) -> None:
            begin.wait()
            calling.complete(HELLO)

        threads = [threading.Thread(target=call) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.count == tried
        clock.skipped += 61


def test_a_stream_that_nobody_reads_leaves_the_trial_to_the_next_call(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    calling, session, clock = rested(client, server, ["503", "ok"])
    calling.complete(HELLO)
    clock.skipped += 61
    with calling.stream(HELLO):
        pass
    assert session.count == 1
    assert calling.complete(HELLO).profile == "a"


def test_a_conversation_that_cannot_be_sent_leaves_the_trial_to_the_next_call(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    calling, _, clock = rested(client, server, ["503", "ok"], endpoint="chat")
    calling.complete(HELLO)
    clock.skipped += 61
    with pytest.raises(rf.MessageError):
        calling.complete([*HELLO, {"role": "assistant", "content": "Well"}])
    assert calling.complete(HELLO).profile == "a"


def test_a_call_with_too_little_time_does_not_send_the_profile_to_rest(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    calling, _, _ = rested(client, server, ["429_ra_1s", "ok"], retryConfig={"maxRetries": 3})
    assert calling.complete(HELLO, timeout=0.5).profile == "b"
    assert calling.complete(HELLO).profile == "a"


def test_an_answer_that_may_not_be_continued_does_not_send_the_profile_to_rest(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    calling, _, _ = rested(client, server, ["sse_reset_mid", "ok"], onInterrupt="raise")
    with pytest.raises(rf.StreamBroken), calling.stream(HELLO) as stream:
        list(stream)
    assert calling.complete(HELLO).profile == "a"


def test_the_story_of_a_call_names_no_profile_that_rests(client: Callable[..., rf.Client], server: FaultServer) -> None:
    """What is told to follow is what follows."""
    first = {"baseURL": server.session("401").base_url}
    second = {"baseURL": server.session("503").base_url, "cooldownSeconds": 60, "retryConfig": {"maxRetries": 0}}
    calling = client({"a": first, "b": second})
    for following in ("fall back to b", "no profile left"):
        with pytest.raises(rf.AllProfilesFailed) as caught:
            calling.complete(HELLO)
        assert caught.value.attempts[0].next.startswith(following)


def test_what_was_never_sent_changes_nothing_in_the_health_of_a_profile(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    seen: list[Mapping[str, rf.Health]] = []

    def route(profiles: Any, health: Mapping[str, rf.Health]) -> Any:
        seen.append(health)
        return profiles

    profiles = {
        "a": {"baseURL": server.session("401").base_url, "failurePolicy": "mine"},
        "b": {"baseURL": server.session("sse_stall").base_url, "endpoint": "chat"},
    }
    calling = client(profiles, policy(lambda _: rf.FallBack(), route=route))
    with calling.stream(HELLO, profile="b") as running:
        next(running)
        with pytest.raises(rf.AllProfilesFailed):
            calling.complete([*HELLO, {"role": "assistant", "content": "Well"}])
        with pytest.raises(rf.AllProfilesFailed):
            calling.complete([*HELLO, {"role": "assistant", "content": "Well"}])
    assert seen[-1]["b"].in_flight == 1
    assert seen[-1]["b"].consecutive_failures == 0


def test_a_cancelled_call_leaves_the_trial_to_the_next_one(server: FaultServer) -> None:
    session, clock = server.session(["503", "read_timeout", "ok"]), Clock()
    first = {"baseURL": session.base_url, "cooldownSeconds": 60, "retryConfig": {"maxRetries": 0}}
    profiles = {"a": {**first, "fallbackProfiles": ["b"]}, "b": {"baseURL": server.base_url}}

    async def calls() -> str:
        async with rf.AsyncClient({"profiles": profiles}, rf.PluginHost(), clock=clock) as calling:
            await calling.complete(HELLO)
            clock.skipped += 61
            waiting = asyncio.create_task(calling.complete(HELLO))
            while session.count < 2:  # noqa: ASYNC110  # the server counts in a thread of its own
                await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return (await calling.complete(HELLO)).profile

    assert asyncio.run(calls()) == "a"
