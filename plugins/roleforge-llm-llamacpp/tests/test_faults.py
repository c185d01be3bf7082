"""Servers that fail as llama.cpp's do, and proxies before them: which error comes of it, and what is kept."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from roleforge_llm_llamacpp.backend import LlamaCppBackend
from roleforge_llm_llamacpp.events import EventReader
from roleforge_llm_llamacpp.replies import Expected

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import Cut, FaultServer, Pause, Reply, Stream, no_waiting
from roleforge_llm.transport import Call

LAST = {
    "content": "", "stop": True, "stop_type": "word", "stopping_word": "END", "tokens_predicted": 3,
    "tokens_evaluated": 9, "timings": {"cache_n": 4}, "truncated": False, "id_slot": 0, "model": "m",
}  # fmt: skip
WHOLE = {**LAST, "content": "one two three"}
WORDS = [{"content": word, "stop": False, "tokens_predicted": n} for n, word in enumerate(("one ", "two ", "three"), 1)]
GOOD = Stream([*WORDS, LAST])


def error(status: int, kind: str, **more: object) -> Reply:
    return Reply(status, {"error": {"code": status, "message": "words that mean nothing", "type": kind, **more}})


def named(**fields: object) -> bytes:
    return b"error: " + json.dumps({"code": 500, "message": "no", "type": "server_error", **fields}).encode() + b"\n\n"


@pytest.fixture
def backend() -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend()
    yield backend
    backend.close()


def request(url: str, *, stream: bool, extra: dict[str, object] | None = None, **limits: float) -> rf.Request:
    sampler = rf.Sampler(extra=extra or {})
    profile = rf.Profile("p", backend="llamacpp", base_url=url, api_key="the-key", timeouts=rf.Timeouts(**limits))
    return rf.Request(profile, "completions", (rf.Message("user", "Hi"),), sampler, prompt="Hi", stream=stream)


def outcomes(backend: LlamaCppBackend, entry: Any, *, stream: bool, **fields: Any) -> list[tuple[Any, str]]:
    """(error or None, text) of a sync and of an async call to a server that plays *entry*."""

    async def asynchronous(asked: rf.Request) -> tuple[Any, str]:
        texts: list[str] = []
        try:
            if stream:
                async for chunk in backend.astream(asked):
                    texts.append(chunk.text)  # noqa: PERF401  # what came before an error must stay
            else:
                texts.append((await backend.acomplete(asked)).text)
        except rf.BackendError as caught:
            return caught, "".join(texts)
        finally:
            await backend.aclose()
        return None, "".join(texts)

    def synchronous(asked: rf.Request) -> tuple[Any, str]:
        texts: list[str] = []
        try:
            if stream:
                texts.extend(chunk.text for chunk in backend.stream(asked))
            else:
                texts.append(backend.complete(asked).text)
        except rf.BackendError as caught:
            return caught, "".join(texts)
        return None, "".join(texts)

    with FaultServer([entry]) as server:
        asked = request(server.base_url, stream=stream, **fields)
        return [synchronous(asked), asyncio.run(asynchronous(asked))]


def shape(outcome: tuple[Any, str]) -> tuple[Any, ...]:
    caught, text = outcome
    return (None, text) if caught is None else (type(caught).__name__, caught.kind, caught.status, text)


STATUSES = {
    "loading": (error(503, "unavailable_error"), ("ServerError", "loading", 503)),
    "key": (error(401, "authentication_error"), ("AuthenticationFailed", "status", 401)),
    "permission": (error(403, "permission_error"), ("AuthenticationFailed", "status", 403)),
    "request": (error(400, "invalid_request_error"), ("InvalidRequest", "status", 400)),
    "context": (error(400, "exceed_context_size_error", n_ctx=8), ("ContextTooLong", "status", 400)),
    "path": (error(404, "not_found_error"), ("NotFound", "status", 404)),
    "server": (error(500, "server_error"), ("ServerError", "status", 500)),
    "disabled": (error(501, "not_supported_error"), ("InvalidRequest", "not-supported", 501)),
    "closed": ("close_before_headers", ("ConnectFailed", "reset", None)),
    "redirect": ("redirect_other", ("BadReply", "redirect", 307)),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", STATUSES)
def test_an_error_is_known_by_its_status_and_type(name: str, stream: bool, backend: LlamaCppBackend) -> None:
    entry, expected = STATUSES[name]
    assert [shape(each) for each in outcomes(backend, entry, stream=stream)] == [(*expected, "")] * 2


@pytest.mark.parametrize("fault", ["refuse", "tls_selfsigned", "tls_to_plain"])
def test_a_server_that_cannot_be_reached_safely_is_not_spoken_to(fault: str, backend: LlamaCppBackend) -> None:
    with FaultServer() as server:
        with pytest.raises(rf.ConnectFailed) as caught:
            backend.complete(request(server.url(fault), stream=False, connect=0.5))
        assert not server.requests
    assert caught.value.kind == fault.partition("_")[0].replace("refuse", "refused")


WHOLE_REPLIES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "good": (Reply(json=WHOLE), (None, "one two three")),
    "no content": (Reply(json={"choices": []}), ("BadReply", "shape", None, "")),
    "a list": (Reply(json=[WHOLE]), ("BadReply", "shape", None, "")),
    "web page": ("html_200", ("BadReply", "html", None, "")),
    "cut off": (Reply(body=json.dumps(WHOLE).encode()[:40]), ("BadReply", "unreadable", None, "")),
    "reset": ("reset_mid_body", ("BadReply", "unreadable", None, "")),
    "error in 200": (Reply(json={"error": {"code": 500, "type": "server_error"}}), ("ServerError", "error-body", 500, "")),
    "surrogate": (Reply(body=b'{"content": "a\\ud83d", "stop": true, "stop_type": "eos"}'), (None, "a�")),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE_REPLIES)
def test_a_whole_reply_is_complete_or_an_error(name: str, backend: LlamaCppBackend) -> None:
    entry, expected = WHOLE_REPLIES[name]
    assert [shape(each) for each in outcomes(backend, entry, stream=False)] == [expected] * 2


BROKEN = [*WORDS[:2]]
STREAMS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "good": (GOOD, (None, "one two three")),
    "good, then silence": (Stream([*WORDS, LAST], then=(Pause(60),)), (None, "one two three")),
    "good, then a reset": (Stream([*WORDS, LAST], then=(Pause(0.02), Cut.RESET)), (None, "one two three")),
    "good, then more": (Stream([*WORDS, LAST, WORDS[0], b"data: [DONE]\n\n"]), (None, "one two three")),
    "text in the last event": (Stream([WORDS[0], {**LAST, "content": "more"}]), (None, "one more")),
    "whole": (Reply(json=WHOLE), (None, "one two three")),
    "web page": ("html_200", ("BadReply", "html", None, "")),
    "nothing": (Stream([]), ("BadReply", "unreadable", None, "")),
    "reset at once": (Stream([], then=(Pause(0.02), Cut.RESET)), ("BadReply", "unreadable", None, "")),
    "reset": (Stream(BROKEN, then=(Pause(0.02), Cut.RESET)), ("StreamBroken", "reset", None, "one two ")),
    "closed": (Stream(BROKEN, then=(Pause(0.02), Cut.CLOSE)), ("StreamBroken", "closed", None, "one two ")),
    "ended without stop": (Stream(WORDS), ("StreamBroken", "closed", None, "one two three")),
    "OpenAI's end marker": (Stream([*WORDS, b"data: [DONE]\n\n"]), ("StreamBroken", "closed", None, "one two three")),
    "error first": (Stream([named()]), ("ServerError", "error-body", 500, "")),
    "error later": (Stream([*BROKEN, named()]), ("StreamBroken", "error-event", 500, "one two ")),
    "error object": (Stream([*BROKEN, {"error": {"code": 503}}]), ("StreamBroken", "error-event", 503, "one two ")),
    "no JSON": (Stream([*BROKEN, b"data: {\n\n"]), ("StreamBroken", "unreadable", None, "one two ")),
    "no content": (Stream([*BROKEN, {"a": 1}]), ("StreamBroken", "unreadable", None, "one two ")),
    "OpenAI's events": (Stream([{"choices": []}]), ("BadReply", "shape", None, "")),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_complete_with_the_event_that_says_stop(name: str, backend: LlamaCppBackend) -> None:
    entry, expected = STREAMS[name]
    assert [shape(each) for each in outcomes(backend, entry, stream=True)] == [expected] * 2


BODY = b"".join(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n" for event in (*WORDS, LAST))


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BODY)), max_size=30))
def test_a_stream_says_the_same_whatever_pieces_it_comes_in(cuts: list[int]) -> None:
    call = Call("http://127.0.0.1:1/completion", rf.Timeouts())
    reader, chunks = EventReader(Expected(), call), []
    edges = [0, *sorted(cuts), len(BODY)]
    for begin, end in itertools.pairwise(edges):
        chunks += reader.feed(BODY[begin:end])
    chunks += reader.end()
    assert [(chunk.text, chunk.tokens) for chunk in chunks[:-1]] == [("one ", 1), ("two ", 1), ("three", 1)]
    assert (chunks[-1].finish_reason, chunks[-1].stop_sequence) == ("stop", "END")
    assert chunks[-1].usage == rf.Usage(9, 3, 12, 4)


def test_a_reply_without_a_reason_is_flagged(backend: LlamaCppBackend) -> None:
    with FaultServer([Reply(json={"content": "hi", "stop": True})]) as server:
        reply = backend.complete(request(server.base_url, stream=False))
    assert (reply.finish_reason, reply.warnings) == (None, ("the server did not say why the reply ended",))


@pytest.mark.parametrize("stream", [False, True])
def test_json_that_was_asked_for_and_did_not_come_is_flagged(stream: bool, backend: LlamaCppBackend) -> None:
    asked: Any = {"stream": stream, "extra": {"json_schema": {}}}
    with FaultServer([GOOD if stream else Reply(json=WHOLE)]) as server:
        made = request(server.base_url, **asked)
        found = list(backend.stream(made))[-1] if stream else backend.complete(made)
    (warning,) = found.warnings
    assert "not the JSON that was asked for" in warning


def test_a_reply_that_continues_a_prefill_is_no_json_by_itself(backend: LlamaCppBackend) -> None:
    with FaultServer([Reply(json={**WHOLE, "content": '"a": 1}'})]) as server:
        asked = request(server.base_url, stream=False, extra={"json_schema": {}})
        assert backend.complete(attrs.evolve(asked, prefill="{")).warnings == ()


def steps(*processed: int) -> list[dict[str, object]]:
    return [{"content": "", "stop": False, "prompt_progress": {"processed": n, "total": 9}} for n in processed]


def test_steps_of_a_long_prompt_begin_the_limit_for_the_first_piece_anew(backend: LlamaCppBackend) -> None:
    going, stuck = (Stream([*steps(*counts), *WORDS, LAST], delay=0.12) for counts in (range(1, 7), [1] * 6))
    with FaultServer([going, stuck]) as server:
        asked = request(server.base_url, stream=True, first_token=0.5)
        assert "".join(chunk.text for chunk in backend.stream(asked)) == "one two three"
        with pytest.raises(rf.Timeout) as caught:
            list(backend.stream(asked))
    assert caught.value.kind == "first-token"


def test_no_key_is_in_any_error(backend: LlamaCppBackend) -> None:
    ((caught, _), _) = outcomes(backend, "401_echo_key", stream=False)
    assert "the-key" not in str(caught)
    assert "***" in str(caught)


# ---------------------------------------------------------------------- through the client

PROPS = Reply(json={"default_generation_settings": {"n_ctx": 4096}})


def config(url: str, **more: object) -> rf.Config:
    profile = {"backend": "llamacpp", "baseURL": url, "template": "chatml", **more}
    return parse_config({"profiles": {"p": profile}})


TALK = [{"role": "user", "content": "Hi"}]


def test_a_server_that_loads_is_asked_again_without_using_up_a_retry() -> None:
    loading = error(503, "unavailable_error")
    with no_waiting(), FaultServer([loading, PROPS, loading, PROPS, Reply(json=WHOLE)]) as server:
        with rf.Client(config(server.base_url, retryConfig={"maxRetries": 0})) as client:
            assert client.complete(TALK).text == "one two three"
        asked = [each.path.rpartition("/")[2] for each in server.requests]
    assert asked == ["props", "props", "completion", "props", "completion"]


def test_one_that_loads_for_longer_than_the_limit_is_an_attempt_that_failed() -> None:
    with no_waiting(), FaultServer([error(503, "unavailable_error")]) as server:
        limits = {"retryConfig": {"maxRetries": 0}, "timeouts": {"loading": 0}}
        with rf.Client(config(server.base_url, **limits)) as client, pytest.raises(rf.AllProfilesFailed) as caught:
            client.complete(TALK)
    assert [(attempt.kind, attempt.status) for attempt in caught.value.attempts] == [("loading", 503)]


def test_the_window_is_asked_for_once_and_again_after_a_failure() -> None:
    script = [PROPS, Reply(json=WHOLE), Reply(json=WHOLE), "400", PROPS, Reply(json=WHOLE)]
    with FaultServer(script) as server, rf.Client(config(server.base_url)) as client:
        client.complete(TALK)
        client.complete(TALK)
        with pytest.raises(rf.AllProfilesFailed):
            client.complete(TALK)
        client.complete(TALK)
        asked = [each.path.rpartition("/")[2] for each in server.requests]
    assert asked == ["props", "completion", "completion", "completion", "props", "completion"]


@pytest.mark.parametrize(
    "answer",
    [
        error(501, "not_supported_error"),
        error(405, ""),
        "404",
        Reply(json={"default_generation_settings": {}}),
        Reply(json={}),
    ],
)
def test_a_server_that_tells_no_window_gets_the_whole_prompt(answer: Any) -> None:
    with FaultServer([answer, Reply(json=WHOLE)]) as server, rf.Client(config(server.base_url)) as client:
        assert client.complete([{"role": "user", "content": "x" * 100_000}]).omitted == ()


def test_a_web_page_in_the_place_of_an_answer_is_told_with_its_address() -> None:
    told = r"http://127.* sent a web page, not a reply; check baseURL"
    with (
        no_waiting(),
        FaultServer(["html_200"]) as server,
        rf.Client(config(server.base_url)) as client,
        pytest.raises(rf.AllProfilesFailed, match=told),
    ):
        client.complete(TALK)


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_where_the_server_does_not_count_tokens_are_estimated(endpoint: str, backend: LlamaCppBackend) -> None:
    made: Any = {"endpoint": endpoint, "prompt": "x" * 999 if endpoint == "completions" else None}

    async def count(asked: rf.Request) -> int:
        try:
            return await backend.acount_tokens(asked)
        finally:
            await backend.aclose()

    with FaultServer(["404"]) as server:
        asked = attrs.evolve(request(server.base_url, stream=False), **made)
        expected = rf.Backend.count_tokens(backend, asked)
        assert backend.count_tokens(asked) == asyncio.run(count(asked)) == expected


def test_a_stream_that_breaks_is_continued_where_it_broke() -> None:
    broken = Stream(WORDS[:2], then=(Pause(0.02), Cut.RESET))
    with no_waiting(), FaultServer([PROPS, broken, PROPS, Stream([WORDS[2], LAST])]) as server:
        with rf.Client(config(server.base_url)) as client, client.stream(TALK) as stream:
            assert "".join(stream) == "one two three"
        prompts = [each.json["prompt"] for each in server.requests if each.path.endswith("/completion")]
    assert prompts[1] == f"{prompts[0]}one two "


@pytest.mark.parametrize(
    "asked",
    [
        {"extra": {"grammar": 'root ::= "one two three"'}},
        {"extra": {"json_schema": {}}},
        {"response_format": {"type": "json_object"}},
    ],
    ids=str,
)
def test_a_stream_that_must_follow_a_grammar_is_not_continued_where_that_would_begin_anew(asked: Any) -> None:
    broken = Stream(WORDS[:2], then=(Pause(0.02), Cut.RESET))
    with (
        no_waiting(),
        FaultServer([PROPS, broken, PROPS, GOOD]) as server,
        rf.Client(config(server.base_url)) as client,
        pytest.raises(rf.AllProfilesFailed) as caught,
        client.stream(TALK, **asked) as stream,
    ):
        list(stream)
    assert caught.value.partial == "one two "
    assert [attempt.kind for attempt in caught.value.attempts] == ["reset"]


def test_before_its_first_character_it_is_asked_for_again() -> None:
    broken = Stream([], then=(Pause(0.02), Cut.RESET))
    with (
        no_waiting(),
        FaultServer([PROPS, broken, PROPS, GOOD]) as server,
        rf.Client(config(server.base_url)) as client,
        client.stream(TALK, extra={"grammar": 'root ::= "one two three"'}) as stream,
    ):
        assert "".join(stream) == "one two three"


def test_the_profiles_headers_and_key_go_with_everything() -> None:
    with FaultServer([PROPS, Reply(json=WHOLE)]) as server:
        settings: Callable[..., rf.Config] = config
        with rf.Client(settings(server.base_url, apiKey="the-key", headers={"X-Team": "blue"})) as client:
            client.complete(TALK)
        assert [(each.headers["authorization"], each.headers["x-team"]) for each in server.requests] == [
            ("Bearer the-key", "blue")
        ] * 2
