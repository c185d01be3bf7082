"""Through the public client: a remote server and an embedded one are the same to whoever uses them."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from roleforge_llm_llamacpp.api import Api
from roleforge_llm_llamacpp.questions import props, slots

import roleforge_llm as rf
from roleforge_llm.config import parse_config

TALK = [
    {"role": "user", "content": "Hi there"},
    {"role": "assistant", "content": "Hello! How can I help you today?"},
    {"role": "user", "content": "What's your name?"},
]
ANSWER = "Hello from chatml. Turn 2. System: no."
SHORT = "Hello from chatml. Turn 1. System: no."
PROMPT_TOKENS = 1 + len(rf.render(TALK).text)
"""The canary has a token for each byte, and BOS."""

KINDS = ["embedded", "remote"]
ENDPOINTS = ["completions", "chat"]


@pytest.fixture
def settings(remote_root: str) -> Callable[..., dict[str, Any]]:
    """Tables of profiles for a server of that kind."""

    def table(kind: str, sampler: Mapping[str, object] | None = None, **more: object) -> dict[str, Any]:
        where = {"baseURL": f"{remote_root}/v1", "apiKey": "the-key"} if kind == "remote" else {"model": "canary"}
        sampler = {"temperature": 0, "maxTokens": 60, **(sampler or {})}
        return {"backend": "llamacpp", **where, "template": "chatml", "sampler": sampler, **more}

    return table


@pytest.fixture
def connect(settings: Callable[..., dict[str, Any]]) -> Iterator[Callable[..., rf.Client]]:
    """Clients with one such profile."""
    clients: list[rf.Client] = []

    def connect(kind: str, *args: Any, **more: object) -> rf.Client:
        clients.append(rf.Client(parse_config({"profiles": {"p": settings(kind, *args, **more)}})))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_both_kinds_of_servers_give_the_same_replies(endpoint: str, connect: Callable[..., rf.Client]) -> None:
    replies = [connect(kind, endpoint=endpoint).complete(TALK) for kind in KINDS]
    assert [reply.text for reply in replies] == [ANSWER] * 2
    assert [reply.finish_reason for reply in replies] == ["stop"] * 2
    assert [reply.usage and reply.usage.prompt_tokens for reply in replies] == [PROMPT_TOKENS] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_asyncio_and_the_whole_reply_are_one(kind: str, settings: Callable[..., dict[str, Any]]) -> None:
    config = parse_config({"profiles": {"p": settings(kind)}})

    async def both() -> list[rf.Completion]:
        async with rf.AsyncClient(config) as client:
            async with client.stream(TALK) as stream:
                assert "".join([piece async for piece in stream]) == ANSWER
            return [await client.complete(TALK), stream.completion]

    with rf.Client(config) as client, client.stream(TALK) as stream:
        assert "".join(stream) == ANSWER
        found = [stream.completion, client.complete(TALK), *asyncio.run(both())]
    assert {(each.text, each.finish_reason, each.stop_sequence) for each in found} == {(ANSWER, "stop", "<|im_end|>")}
    assert all(each.raw is not None and each.raw["timings"] for each in found)
    assert len({each.usage and each.usage.completion_tokens for each in found}) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_prefill_is_continued_and_not_repeated(kind: str, endpoint: str, connect: Callable[..., rf.Client]) -> None:
    client = connect(kind, endpoint=endpoint)
    messages = [*TALK, {"role": "assistant", "content": ANSWER[:11]}]
    with client.stream(messages) as stream:
        assert "".join(stream) == client.complete(messages).text == ANSWER[11:]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_base_url_may_end_in_v1_or_not(
    suffix: str, endpoint: str, remote_root: str, connect: Callable[..., rf.Client]
) -> None:
    assert connect("remote", endpoint=endpoint, baseURL=remote_root + suffix).complete(TALK).text == ANSWER


def test_chat_takes_the_same_parameters(connect: Callable[..., rf.Client]) -> None:
    client = connect("remote", {"extra": {"grammar": 'root ::= "yes"|"no"', "mirostat": 2}}, endpoint="chat")
    assert client.complete(TALK).text in {"yes", "no"}


def test_chat_gives_probabilities_in_the_raw_reply(connect: Callable[..., rf.Client]) -> None:
    reply = connect("remote", {"extra": {"logprobs": True, "top_logprobs": 2}}, endpoint="chat").complete(TALK)
    assert reply.raw is not None
    choices: Any = reply.raw["choices"]
    assert {len(token["top_logprobs"]) for token in choices[0]["logprobs"]["content"]} == {2}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_misspelt_parameter_is_a_fault_of_the_configuration(endpoint: str, connect: Callable[..., rf.Client]) -> None:
    client = connect("remote", {"extra": {"mirostats": 2}}, endpoint=endpoint, baseURL="http://no-such-host.invalid")
    with pytest.raises(rf.ConfigError) as caught:
        client.complete(TALK)
    (fault,) = caught.value.faults
    assert fault.path == "profiles.p.sampler.extra.mirostats"
    assert "did you mean mirostat" in fault.message


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_one_that_a_call_brings_fails_that_call_before_anything_is_generated(
    kind: str, endpoint: str, connect: Callable[..., rf.Client]
) -> None:
    client = connect(kind, endpoint=endpoint)
    with pytest.raises(rf.AllProfilesFailed) as caught:
        client.complete(TALK, extra={"mirostats": 2})
    assert [(attempt.kind, attempt.status) for attempt in caught.value.attempts] == [("sampler", None)]


def test_a_wrong_key_is_an_error_that_does_not_show_it(connect: Callable[..., rf.Client]) -> None:
    with pytest.raises(rf.AllProfilesFailed) as caught:
        connect("remote", apiKey="guessed-key").complete(TALK)
    assert isinstance(caught.value.errors[0], rf.AuthenticationFailed)
    assert "guessed-key" not in str(caught.value)


# ---------------------------------------------------------------------- windows and counts


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_context_is_filled_to_the_last_token(kind: str, endpoint: str, connect: Callable[..., rf.Client]) -> None:
    needed = PROMPT_TOKENS + 60
    kept = connect(kind, {"maxContextTokens": needed}, endpoint=endpoint).complete(TALK)
    assert (kept.omitted, kept.text) == ((), ANSWER)
    cut = connect(kind, {"maxContextTokens": needed - 1}, endpoint=endpoint).complete(TALK)
    assert (cut.omitted, cut.text) == ((0, 1), SHORT)
    assert cut.warnings == ("2 messages were left out to fit the context (tokens counted)",)


def test_async_calls_count_alike(settings: Callable[..., dict[str, Any]]) -> None:
    async def omitted(endpoint: str) -> tuple[int, ...]:
        table = settings("remote", {"maxContextTokens": PROMPT_TOKENS + 59}, endpoint=endpoint)
        async with rf.AsyncClient(parse_config({"profiles": {"p": table}})) as client:
            return (await client.complete(TALK)).omitted

    assert [asyncio.run(omitted(endpoint)) for endpoint in ENDPOINTS] == [(0, 1)] * 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_where_no_window_is_set_the_servers_own_is_kept_to_exactly(
    kind: str, asynchronous: bool, settings: Callable[..., dict[str, Any]]
) -> None:
    """A prompt that fills the window of 1,024 tokens to the last fits; one that is longer loses its oldest turn."""
    config = parse_config({"profiles": {"p": settings(kind)}})
    missing = 1024 - 60 - PROMPT_TOKENS
    talks = [[{**TALK[0], "content": TALK[0]["content"] + "x" * more}, *TALK[1:]] for more in (missing, missing + 1)]

    async def ask() -> list[rf.Completion]:
        async with rf.AsyncClient(config) as client:
            return [await client.complete(talk) for talk in talks]

    if asynchronous:
        found = asyncio.run(ask())
    else:
        with rf.Client(config) as client:
            found = [client.complete(talk) for talk in talks]
    assert [each.omitted for each in found] == [(), (0, 1)]
    assert found[0].usage is not None
    assert found[0].usage.prompt_tokens == 1024 - 60


def test_an_embedded_server_has_the_window_that_was_told_before_it_ran(server: Any) -> None:
    from roleforge_llm_llamacpp.embedded import window_of

    with Api() as api:
        told = api.ask(rf.Profile("p", base_url=server.url(), api_key=server.key), props()).context_window
    assert told == window_of(rf.Profile("p", model="canary"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_servers_own_template_makes_the_prompts(kind: str, connect: Callable[..., rf.Client]) -> None:
    reply = connect(kind, template="server").complete(TALK)
    assert (reply.text, reply.stop_sequence) == (ANSWER, "<|im_end|>")


# ---------------------------------------------------------------------- leaving

ENDLESS = '{% set stop_sequence = ["never"] %}{{ user_message }}'


def busy(api: Api, profile: rf.Profile) -> bool:
    return any(slot.is_processing for slot in api.ask(profile, slots()))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_leaving_a_stream_ends_the_work_on_the_server(
    endpoint: str, remote: Callable[..., rf.Profile], connect: Callable[..., rf.Client]
) -> None:
    endless = {"maxTokens": 900, "extra": {"ignore_eos": True}}
    client = connect("remote", endless, endpoint=endpoint, template=ENDLESS if endpoint == "completions" else None)
    with Api() as api, client.stream(TALK) as stream:
        next(iter(stream))
        was_busy = busy(api, remote())
        stream.close()
        wait_until_idle(api, remote())
    assert was_busy
    assert len(stream.completion.text) < 900


def test_so_does_a_whole_reply_that_takes_too_long(
    remote: Callable[..., rf.Profile], connect: Callable[..., rf.Client]
) -> None:
    endless = {"maxTokens": 960, "extra": {"ignore_eos": True, "n_probs": 288}}
    with Api() as api:
        with pytest.raises(rf.AllProfilesFailed) as caught:
            connect("remote", endless, template=ENDLESS, retryConfig={"maxRetries": 0}).complete(
                [TALK[0]], timeout=0.05
            )
        assert isinstance(caught.value.errors[0], rf.Timeout)
        wait_until_idle(api, remote())


def wait_until_idle(api: Api, profile: rf.Profile) -> None:
    deadline = time.monotonic() + 20
    while busy(api, profile):
        assert time.monotonic() < deadline, "the server goes on with a reply that nobody waits for"
