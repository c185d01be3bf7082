"""Reading replies, whole and streamed: text, reasoning, tool calls, usage, and when a stream is complete. No I/O."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import BackendError, BadReply, ServerError, StreamBroken, Timeouts, Usage
from roleforge_llm.testing.answers import DONE, completion, piece
from roleforge_llm.testing.wire import event
from roleforge_llm.transport import Call
from roleforge_llm_builtin.openai_compatible.replies import whole_reply
from roleforge_llm_builtin.openai_compatible.streams import StreamReader


def call() -> Call:
    return Call("http://127.0.0.1:1/v1", Timeouts())


def whole(**fields):
    return whole_reply(json.dumps(completion(**fields)).encode(), call())


def read(*pieces: bytes, ends_without_finish=False):
    """The chunks of a stream, as the backend reads it."""
    reader, chunks = StreamReader(call(), ends_without_finish=ends_without_finish), []
    try:
        for data in pieces:
            chunks += reader.feed(data)
    except BackendError as error:
        if (failure := reader.failed(error)) is not None:
            raise failure from None
    return [*chunks, *reader.end()]


def streamed(*events, **options):
    return read(*(item if isinstance(item, bytes) else event(item) for item in events), **options)


def text_of(chunks) -> str:
    return "".join(chunk.text for chunk in chunks)


def delta(**fields):
    return piece(choices=[{"index": 0, "delta": fields, "finish_reason": None}])


def test_a_whole_reply_has_text_reason_model_usage_and_the_servers_own_object():
    reply = whole(text="Hi", finish_reason="length")
    assert (reply.text, reply.finish_reason, reply.model, reply.usage) == ("Hi", "length", "m", Usage(3, 2, 5))
    assert reply.raw == completion("Hi", "length")


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_kept_apart_by_whatever_name(name):
    message = {"role": "assistant", "content": "42", name: "let me think"}
    reply = whole(choices=[{"message": message, "finish_reason": "stop"}])
    assert (reply.text, reply.reasoning) == ("42", "let me think")
    chunks = streamed(
        delta(**{name: "let me "}), delta(**{name: "think"}), delta(content="42"), piece(finish_reason="stop")
    )
    assert (text_of(chunks), "".join(chunk.reasoning for chunk in chunks)) == ("42", "let me think")


def test_tool_calls_are_put_together_from_their_fragments():
    first = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}
    events = [
        delta(tool_calls=[first]),
        delta(tool_calls=[{"index": 1, "id": "c2", "function": {"name": "g", "arguments": "{}"}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
        piece(finish_reason="tool_calls"),
    ]
    (last,) = streamed(*events)
    assert last.finish_reason == "tool_calls"
    assert last.tool_calls == (
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    )


def test_usage_comes_with_the_last_chunk():
    chunks = streamed(piece("Hi"), piece(finish_reason="stop"), piece(choices=[], usage={"completion_tokens": 2}), DONE)
    assert chunks[-1].usage == Usage(None, 2, None)


def test_of_several_replies_the_first_is_the_reply():
    other = {"index": 1, "delta": {"content": "other"}, "finish_reason": "stop"}
    assert text_of(streamed(piece("Hi"), piece(choices=[other]), piece(finish_reason="stop"))) == "Hi"


def test_after_text_the_end_marker_completes_a_reply_and_a_warning_says_that_the_reason_is_unknown():
    *_, last = streamed(piece("Hi"), DONE)
    assert (last.finish_reason, len(last.warnings)) == (None, 1)


@pytest.mark.parametrize("events", [[piece("Hi")], [piece("Hi"), b": comment\n\n"]])
def test_without_finish_reason_and_end_marker_a_reply_is_incomplete_unless_the_server_ends_so(events):
    with pytest.raises(StreamBroken):
        streamed(*events)
    assert text_of(streamed(*events, ends_without_finish=True)) == "Hi"
    with pytest.raises(BackendError):
        streamed(ends_without_finish=True)


def test_what_comes_after_the_end_counts_for_nothing():
    good = [piece("Hi"), piece(finish_reason="stop")]
    for after in (b"data: {broken\n\n", {"error": "late"}, b"data: [DONE]\n\ndata: {broken\n\n", piece(choices=None)):
        assert text_of(streamed(*good, after)) == "Hi"


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "no", "code": 500}},
        {"error": "no"},
        {"object": "error", "message": "no", "code": 500},
        b'event: error\ndata: {"message": "no"}\n\n',
        b'event: error\ndata: {"error": {"message": "no"}}\n\n',
        b'error: {"message": "no", "code": 500}\n\n',
    ],
)
def test_an_error_event_is_a_servers_error_before_text_and_a_broken_stream_after(error):
    with pytest.raises(ServerError) as before:
        streamed(error)
    assert before.value.kind == "error-body"
    with pytest.raises(StreamBroken) as after:
        streamed(piece("Hi"), error)
    assert after.value.kind == "error-event"
    assert "no" in str(after.value)


@pytest.mark.parametrize("start", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \r\n"])
def test_a_server_that_does_not_stream_is_understood(start):
    body = start + json.dumps(completion("Hi")).encode()
    assert text_of(read(body)) == text_of(read(*(body[at : at + 1] for at in range(len(body))))) == "Hi"


@pytest.mark.parametrize("body", [b"<html>log in</html>", b" \n<html>", b"\xef\xbb\xbf<html>"])
def test_a_web_page_is_no_stream(body):
    with pytest.raises(BadReply) as caught:
        read(body)
    assert caught.value.kind == "unreadable"


def test_white_space_without_end_is_not_collected():
    reader = StreamReader(call())
    for _ in range(1000):
        assert list(reader.feed(b"\n" * 1000)) == []
    assert text_of([*reader.feed(event(piece("Hi", "stop"))), *reader.end()]) == "Hi"


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6), st.booleans(), st.lists(st.integers(0, 3000)))
def test_the_text_is_the_same_whatever_the_pieces_on_the_wire(texts, plain, cuts):
    """Also inside a character's bytes, and with surrogate pairs escaped one by one over two events."""
    items = [piece(part) for text in texts for part in ([text] if plain else _halves(text))]
    wire = b"".join(event(item) for item in [*items, piece(finish_reason="stop")]) + DONE
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    chunks = read(*(wire[start:end] for start, end in pairwise(edges)))
    assert text_of(chunks) == "".join(texts)
    assert chunks[-1].warnings == ()


def _halves(text: str) -> list[str]:
    units = text.encode("utf-16-le", "surrogatepass")
    return [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]


@pytest.mark.parametrize("text", ["a\ud83d", "\ude00b", "\ud83d\ud83d"])
def test_a_lone_surrogate_is_replaced_and_said(text):
    reply = whole(text=text)
    *_, last = chunks = streamed(piece(text), piece(finish_reason="stop"))
    for found, warnings in ((reply.text, reply.warnings), (text_of(chunks), last.warnings)):
        assert "\ufffd" in found.encode().decode()
        assert len(warnings) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["choices", "message", "delta", "content", "text", "error", "usage", "tool_calls", "function", "index", "finish_reason", "code"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_no_json_raises_anything_but_our_errors(document):
    body = json.dumps(document).encode()
    for attempt in (
        lambda: whole_reply(body, call()),
        lambda: streamed(document),
        lambda: streamed(piece("a"), document),
    ):
        with suppress(BackendError):
            attempt()


@pytest.mark.parametrize(("details", "cached"), [({"cached_tokens": 3}, 3), ({}, None), (None, None), ("x", None)])
def test_usage_tells_how_many_tokens_of_the_prompt_were_cached(details, cached):
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "prompt_tokens_details": details}
    assert whole(usage=usage).usage == Usage(5, 2, 7, cached)
