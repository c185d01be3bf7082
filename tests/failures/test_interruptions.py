"""Ctrl-C and cancellation at any moment: the call ends there, and leaves nothing behind."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
import stamina
from stamina.instrumentation import set_on_retry_hooks

import roleforge_llm as rf
from roleforge_llm.testing import FaultServer

from .conftest import ThirdParty, configured, policy  # type: ignore[import-not-found]  # beside this file

HELLO = [{"role": "user", "content": "Hello!"}]


class Watched:
    """What a policy is told of the profile's health, asked through a call that is not read."""

    def __init__(self) -> None:
        self.seen: Mapping[str, rf.Health] = {}
        self.spec = policy(lambda _: rf.Retry(0.01), route=self._route)

    def _route(self, profiles: Any, health: Mapping[str, rf.Health]) -> Any:
        self.seen = health
        return profiles

    def in_flight(self, client: rf.Client | rf.AsyncClient) -> int:
        client.stream(HELLO)
        return self.seen["a"].in_flight if "a" in self.seen else 0

    def profiles(self, url: str) -> Mapping[str, Mapping[str, object]]:
        return {"a": {"baseURL": url, "failurePolicy": "mine"}, "b": {"baseURL": url}}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", ["sse_stall", "stall_mid_body", "503", "500_slow_body"])
def test_a_call_cancelled_after_any_number_of_steps_leaves_no_task_no_thread_and_nothing_in_flight(
    server: FaultServer, fault: str, stream: bool
) -> None:
    watched = Watched()
    host = rf.PluginHost(plugins=[ThirdParty(watched.spec)])
    threads = threading.active_count()

    async def cancelled_after(steps: int) -> None:
        async with rf.AsyncClient(configured(watched.profiles(server.session(fault).base_url)), host) as client:
            calling = asyncio.create_task(reply(client, stream))
            for _ in range(min(steps, 20)):
                await asyncio.sleep(0)
            await asyncio.sleep(0.002 * max(0, steps - 20))
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(calling, 1)
            assert watched.in_flight(client) == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}

    async def all_of_them() -> None:
        for steps in range(40):
            await cancelled_after(steps)

    asyncio.run(all_of_them())
    gc.collect()
    assert threading.active_count() == threads


async def reply(client: rf.AsyncClient, stream: bool) -> str:
    if not stream:
        return (await client.complete(HELLO)).text
    async with client.stream(HELLO) as pieces:
        return "".join([piece async for piece in pieces])


def test_a_cancelled_piece_ends_the_stream_instead_of_sending_another_request(server: FaultServer) -> None:
    """Waiting for each piece with a time limit of one's own must not ask the server again and again."""
    watched, session = Watched(), server.session("sse_stall")
    host = rf.PluginHost(plugins=[ThirdParty(watched.spec)])

    async def pieces() -> None:
        async with rf.AsyncClient(configured(watched.profiles(session.base_url)), host) as client:
            async with client.stream(HELLO) as stream:
                assert [await anext(stream), await anext(stream)] == ["one ", "two "]
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(stream), 0.05)
                assert [piece async for piece in stream] == []
                assert (stream.completion.text, stream.completion.finish_reason) == ("one two ", None)
            assert watched.in_flight(client) == 0

    asyncio.run(pieces())
    assert session.count == 1


class Pressed(rf.Backend):
    """Ctrl-C is pressed while it waits for its second piece."""

    requests = 0

    def complete(self, request: rf.Request) -> rf.Completion:
        raise KeyboardInterrupt

    def stream(self, request: rf.Request) -> Iterator[rf.Chunk]:
        type(self).requests += 1
        yield rf.Chunk("one ")
        raise KeyboardInterrupt

    async def astream(self, request: rf.Request) -> AsyncIterator[rf.Chunk]:
        for chunk in self.stream(request):
            yield chunk


class Offering:
    @rf.hookimpl
    def roleforge_backends(self) -> list[rf.BackendSpec]:
        return [rf.BackendSpec("pressed", Pressed)]


def test_after_ctrl_c_a_stream_has_ended_with_what_was_received(client: Callable[..., rf.Client]) -> None:
    calling = client({"a": {"backend": "pressed"}}, None, Offering())
    stream = calling.stream(HELLO)
    assert next(stream) == "one "
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert list(stream) == []
    assert (stream.completion.text, stream.completion.finish_reason, Pressed.requests) == ("one ", None, 1)


def test_staminas_instrumentation_sees_every_wait(client: Callable[..., rf.Client], server: FaultServer) -> None:
    seen: list[str] = []
    set_on_retry_hooks([lambda details: seen.append(repr(details.caused_by))])
    try:
        client({"a": {"baseURL": server.session(["503", "503_loading", "429", "ok"]).base_url}}).complete(HELLO)
    finally:
        set_on_retry_hooks(None)
    assert [text.partition("(")[0] for text in seen] == ["ServerError", "ServerError", "RateLimited"]


def test_with_stamina_switched_off_calls_fall_back_and_say_so(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    session = server.session("503")
    calling = client({"a": {"baseURL": session.base_url}, "b": {"baseURL": server.base_url}})
    stamina.set_active(False)
    try:
        completion = calling.complete(HELLO)
    finally:
        stamina.set_active(True)
    assert (completion.profile, session.count) == ("b", 1)
    assert completion.attempts[0].next == "fall back to b (stamina is switched off)"


@pytest.mark.parametrize("timeout", [float("nan"), float("-inf"), "3", True], ids=repr)
def test_a_time_limit_that_is_no_number_of_seconds_is_told_before_anything_is_sent(
    client: Callable[..., rf.Client], server: FaultServer, timeout: Any
) -> None:
    session = server.session("ok")
    calling = client({"a": {"baseURL": session.base_url}})
    for call in (calling.complete, calling.stream):
        with pytest.raises(rf.ConfigError, match="timeout: must be a number of seconds"):
            call(HELLO, timeout=timeout)
    assert session.count == 0


@pytest.mark.parametrize("timeout", [0, -1, 1e-9])
def test_where_no_time_is_left_nothing_is_sent(
    client: Callable[..., rf.Client], server: FaultServer, timeout: float
) -> None:
    session = server.session("ok")
    with pytest.raises(rf.AllProfilesFailed, match="for the whole call passed"):
        client({"a": {"baseURL": session.base_url}}).complete(HELLO, timeout=timeout)
    assert session.count == 0


def test_a_time_limit_beyond_all_numbers_is_none(client: Callable[..., rf.Client], server: FaultServer) -> None:
    for timeout in (float("inf"), 10**400):
        assert client({"a": {"baseURL": server.base_url}}).complete(HELLO, timeout=timeout).text
