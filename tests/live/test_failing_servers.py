"""Servers that die: what the caller gets is one whole reply, or the whole story."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import no_waiting

pytestmark = pytest.mark.live

FORMATS = ["chatml", "alpaca", "vicuna", "llama2"]

Cases: TypeAlias = Callable[[str], list[Any]]
Start: TypeAlias = Callable[[], Any]
Cutting: TypeAlias = Callable[..., Any]
Refusing: TypeAlias = Callable[[], str]


def config(**profiles: Any) -> rf.Config:
    return parse_config({"profiles": profiles})


def asked(client: rf.Client, messages: list[dict[str, str]], stream: bool) -> str:
    if not stream:
        return client.complete(messages).text
    with client.stream(messages) as pieces:
        return "".join(pieces)


async def streamed(client: rf.AsyncClient, messages: list[dict[str, str]]) -> rf.Completion:
    async with client.stream(messages) as stream:
        text = "".join([piece async for piece in stream])
    assert text == stream.completion.text
    return stream.completion


def on_each(completion_or_error: rf.Completion | rf.AllProfilesFailed) -> Counter[tuple[str, bool]]:
    """How many attempts each profile had, by outcome."""
    return Counter((attempt.profile, attempt.ok) for attempt in completion_or_error.attempts)


def test_the_primary_killed_between_two_calls_falls_over_to_the_second(start: Start, known_good: Cases) -> None:
    primary, second = start(), start()
    case = known_good("chatml")[0]
    other = known_good("alpaca")[0]
    profiles = config(
        primary=primary.profile(template="chatml", fallbackProfiles=["second"]),
        second=second.profile(template="alpaca"),
    )
    with no_waiting(), rf.Client(profiles) as client:
        assert client.complete(case.messages).profile == "primary"
        primary.kill()
        completion = client.complete(other.messages)
    assert completion.text == other.reply
    assert (completion.profile, completion.format) == ("second", "alpaca")
    assert on_each(completion) == {("primary", False): 4, ("second", True): 1}


@pytest.mark.parametrize("second_format", FORMATS)
def test_the_primary_killed_in_mid_reply_is_continued_by_the_second_in_its_own_format(
    second_format: str, start: Start, cutting: Cutting, known_good: Cases
) -> None:
    primary, second = start(), start()
    case = known_good("chatml")[0]
    dying = cutting(primary, [12], on_cut=primary.kill)
    profiles = config(
        primary=dying.profile(template="chatml", fallbackProfiles=["second"], retryConfig={"maxRetries": 0}),
        second=second.profile(template=second_format),
    )
    with no_waiting(), rf.Client(profiles) as client, client.stream(case.messages) as stream:
        text = "".join(stream)
    first, rest = stream.completion.segments
    assert (first.profile, rest.profile) == ("primary", "second")
    assert case.reply.startswith(first.text)
    assert text == first.text + rest.text
    if second_format == "chatml":
        assert text == case.reply
    assert on_each(stream.completion) == {("primary", False): 1, ("second", True): 1}


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_stream_cut_after_any_character_gives_the_uncut_reply(
    format_name: str, canary: Any, cutting: Cutting, known_good: Cases
) -> None:
    case = known_good(format_name)[-1]
    whole = case.reply.removeprefix(" ")
    proxy = cutting(canary, [])
    # The two models differ in how the markers become tokens only: every character of the first will do.
    step = 9 if canary.settings["model"] == "canary-special" else 1
    with no_waiting(), rf.Client(config(live=proxy.profile(template=format_name))) as client:
        for cut in range(0, len(case.reply) + 1, step):
            proxy.cuts = [cut]
            with client.stream(case.messages) as stream:
                assert "".join(stream) == whole, f"cut after {cut}"
            assert stream.completion.text == whole
            assert stream.completion.finish_reason == "stop"


def test_several_cuts_in_one_reply_lose_and_double_nothing(canary: Any, cutting: Cutting, known_good: Cases) -> None:
    case = known_good("chatml")[-1]
    proxy = cutting(canary, [5, 1, 9])
    profiles = config(live=proxy.profile(template="chatml"))
    with no_waiting(), rf.Client(profiles) as client, client.stream(case.messages) as stream:
        assert "".join(stream) == case.reply
    assert [attempt.ok for attempt in stream.completion.attempts] == [False, False, False, True]


def test_a_cut_stream_goes_on_in_the_async_client_too(canary: Any, cutting: Cutting, known_good: Cases) -> None:
    case = known_good("llama2")[-1]
    proxy = cutting(canary, [7, 3])

    async def ask() -> rf.Completion:
        async with rf.AsyncClient(config(live=proxy.profile(template="llama2"))) as client:
            return await streamed(client, case.messages)

    with no_waiting():
        assert asyncio.run(ask()).text == case.reply.removeprefix(" ")


def down(refusing: Refusing) -> rf.Config:
    settings = {"model": "none", "template": "chatml"}
    return config(
        first={**settings, "baseURL": refusing(), "fallbackProfiles": ["second", "third"]},
        second={**settings, "baseURL": refusing()},
        third={**settings, "baseURL": refusing()},
    )


def check_story(error: rf.AllProfilesFailed) -> None:
    order = [attempt.profile for attempt in error.attempts]
    assert order == ["first"] * 4 + ["second"] * 4 + ["third"] * 4
    assert [attempt.number for attempt in error.attempts] == [1, 2, 3, 4] * 3
    assert {(type(each), each.kind) for each in error.errors} == {(rf.ConnectFailed, "refused")}
    assert error.__cause__ is error.errors[-1]
    assert all(name in str(error) for name in ("first", "second", "third"))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_all_servers_down_is_one_error_with_four_attempts_on_each_profile(stream: bool, refusing: Refusing) -> None:
    messages = [{"role": "user", "content": "ping"}]
    with no_waiting(), rf.Client(down(refusing)) as client, pytest.raises(rf.AllProfilesFailed) as caught:
        asked(client, messages, stream)
    check_story(caught.value)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_all_servers_down_is_the_same_error_in_the_async_client(stream: bool, refusing: Refusing) -> None:
    messages = [{"role": "user", "content": "ping"}]

    async def ask() -> rf.Completion:
        async with rf.AsyncClient(down(refusing)) as client:
            return await (streamed(client, messages) if stream else client.complete(messages))

    with no_waiting(), pytest.raises(rf.AllProfilesFailed) as caught:
        asyncio.run(ask())
    check_story(caught.value)
