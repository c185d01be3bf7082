"""Replies and streams that fail in further ways: each is an error of its class, or flagged, and costs little."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import roleforge_llm as rf
from roleforge_llm.testing import Cut, FaultServer, Pause, Reply, Stream
from roleforge_llm.testing.wire import Answer
from roleforge_llm.transport import retry_after

HELLO = [{"role": "user", "content": "Hello!"}]
RESET = (Pause(0.02), Cut.RESET)


def chunk(delta: Any, finish_reason: Any = None, **more: Any) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "text": "", "finish_reason": finish_reason}], **more}


def said(text: str, finish_reason: Any = None, **more: Any) -> dict[str, object]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish_reason}], **more}


def whole(**choice: Any) -> Reply:
    return Reply(json={"choices": [{"index": 0, "message": {"content": "Half a"}, "text": "Half a", **choice}]})


def read(client: rf.Client) -> rf.Completion:
    with client.stream(HELLO) as stream:
        text = "".join(stream)
    assert text == stream.completion.text
    return stream.completion


FAILED: list[tuple[str, Answer, bool, type[rf.BackendError], int]] = [
    ("a list of one error", Reply(429, [{"error": {"code": 429, "message": "slow"}}]), False, rf.RateLimited, 429),
    ("the same with 200", Reply(200, [{"error": {"code": 429, "message": "slow"}}]), False, rf.RateLimited, 429),
    ("an engine that failed", whole(finish_reason="error"), False, rf.ServerError, 200),
    ("a dropped request", whole(finish_reason="abort"), True, rf.ServerError, 200),
    ("an error in a choice", whole(finish_reason="error", error={"code": 502}), False, rf.ServerError, 502),
    ("an error event before text", Stream([{"error": True}]), True, rf.ServerError, 200),
    ("tool calls that break", Stream([chunk({"tool_calls": [{"index": 0}]})], then=RESET), True, rf.StreamBroken, None),
    ("reasoning that breaks", Stream([chunk({"reasoning": "Hm"})], then=RESET), True, rf.BadReply, None),
    ("no content", lambda _: [b"HTTP/1.1 204 X\r\n\r\n"], True, rf.BadReply, None),
]  # type: ignore[list-item]  # a status may be None


@pytest.mark.parametrize(("answer", "stream", "kind", "status"), [pytest.param(*row[1:], id=row[0]) for row in FAILED])
def test_what_is_no_whole_reply_is_asked_for_again(
    client: Callable[..., rf.Client], server: FaultServer, answer: Answer, stream: bool, kind: type, status: int | None
) -> None:
    session = server.session([answer, answer, "ok"])
    calling = client({"a": {"baseURL": session.base_url, "endpoint": "chat"}})
    completion = read(calling) if stream else calling.complete(HELLO)
    assert session.count == 3
    first = completion.attempts[0]
    assert str(first.error).startswith(f"{kind.__name__}: ")
    assert first.status == status


@pytest.mark.parametrize(
    "last", [{"error": {"code": 429}}, said("", "error"), said("", "abort"), [{"error": "x"}]], ids=str
)
def test_a_stream_in_which_the_engine_fails_goes_on_where_it_broke(
    client: Callable[..., rf.Client], server: FaultServer, last: Any
) -> None:
    session = server.session([Stream([said("One "), said("two"), last]), Stream([said(" three", "stop")])])
    completion = read(client({"a": {"baseURL": session.base_url}}))
    assert completion.text == "One two three"
    assert str(session.requests[1].json["prompt"]).endswith("One two")


WELL: list[tuple[str, Answer, str]] = [
    ("interim answers", lambda _: [b"HTTP/1.1 103 X\r\n\r\nHTTP/1.1 100 X\r\n\r\n" + plain("1.1", True)], "Hi."),
    ("HTTP/1.0 without length", lambda _: [plain("1.0", False), Cut.CLOSE], "Hi."),
    ("status 206", lambda _: [plain("1.1", True).replace(b"200", b"206")], "Hi."),
    ("Retry-After on a success", lambda _: [plain("1.1", True).replace(b" X", b" X\r\nretry-after: 999")], "Hi."),
    ("empty error fields", Stream([said("Hi."), {"error": {}}, {"error": ""}, said("", "stop", error=None)]), "Hi."),
    ("usage of no sense", Stream([said("Hi.", usage=[1]), said("", "stop", usage={"total_tokens": 1.5})]), "Hi."),
    (
        "choices out of order",
        Stream([{"choices": [{"index": 1, "text": "no"}, {"index": 0, "text": "Hi."}]}, said("", "stop")]),
        "Hi.",
    ),
]


def plain(version: str, with_length: bool) -> bytes:
    body = json.dumps(said("Hi.", "stop")).encode()
    length = f"content-length: {len(body)}\r\n" if with_length else ""
    return f"HTTP/{version} 200 X\r\n{length}\r\n".encode() + body


@pytest.mark.parametrize(("answer", "text"), [pytest.param(*row[1:], id=row[0]) for row in WELL])
def test_what_is_only_odd_is_a_reply_at_once(
    client: Callable[..., rf.Client], server: FaultServer, answer: Answer, text: str
) -> None:
    session = server.session(answer)
    assert read(client({"a": {"baseURL": session.base_url}})).text == text
    assert session.count == 1


def test_the_usage_of_a_continued_reply_is_unknown_even_if_nothing_followed(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    """The last request counted its own tokens alone."""
    usage = {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}
    script = [Stream([said("All of it.")], then=RESET), Stream([said("", "stop", usage=usage)])]
    completion = read(client({"a": {"baseURL": server.session(script).base_url}}))
    assert (completion.text, completion.usage) == ("All of it.", None)
    assert completion.segments == (rf.Segment("a", "All of it."),)


def test_three_profiles_with_formats_of_their_own_write_one_reply(
    client: Callable[..., rf.Client], server: FaultServer
) -> None:
    """Breaks inside a stop sequence, inside a reply's prefix and inside its suffix: each character once."""
    sessions: Mapping[str, Any] = {
        "chatml": server.session(Stream([said("One <|im"), said("_en")], then=RESET)),
        "alpaca": server.session(Stream([said(" two\n"), said("###")], then=RESET)),
        "vicuna": server.session(Stream([said(" three"), said("</"), said("s> never")])),
    }
    once = {"retryConfig": {"maxRetries": 0}}
    profiles = {name: {"baseURL": s.base_url, "template": name, **once} for name, s in sessions.items()}
    completion = read(client(profiles))
    assert completion.text == "One <|im_en two\n### three"
    assert "".join(segment.text for segment in completion.segments) == completion.text
    assert str(sessions["alpaca"].requests[0].json["prompt"]).endswith("### Response:\nOne <|im_en")
    assert str(sessions["vicuna"].requests[0].json["prompt"]).endswith("ASSISTANT: One <|im_en two\n###")


@pytest.mark.parametrize(
    "date", ["Wed, 21 Oct 2015 07:28:05", "Wed, 21 Oct 2015 07:28:05 -0000", "Wed Oct 21 07:28:05 2015"]
)
def test_a_date_that_names_no_zone_is_in_gmt(date: str) -> None:
    """As every date of HTTP is, wherever this machine stands."""
    script = f"import time; from roleforge_llm.transport import retry_after as r; print(r({{'retry-after': {date!r}, 'date': 'Wed, 21 Oct 2015 07:28:00 GMT'}}))"
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:05 GMT", "date": date}) == 0
    done = subprocess.run(
        [sys.executable, "-c", script], env={"TZ": "Asia/Tokyo"}, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == 5


@pytest.mark.parametrize("unit", [b"[],", b'{"a":1},', b"1.5,"], ids=str)
@pytest.mark.parametrize("field", [b"choices", b"error"], ids=str)
def test_a_reply_of_very_many_values_is_refused_before_it_fills_the_memory(
    client: Callable[..., rf.Client], server: FaultServer, unit: bytes, field: bytes
) -> None:
    body = b'{"' + field + b'":[' + unit * 1_000_001 + b"0]}"
    session = server.session(Reply(body=body))
    with pytest.raises(rf.AllProfilesFailed) as caught:
        client({"a": {"baseURL": session.base_url}}).complete(HELLO)
    assert [(type(error), error.kind) for error in caught.value.errors] == [(rf.TooLarge, "body")]
