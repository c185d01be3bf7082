"""Streams: pieces as they come, one continuous text whatever breaks, stop sequences cut, nothing twice."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf

HELLO = [{"role": "user", "content": "Hello"}]
BROKEN = rf.StreamBroken("the connection was reset", kind="reset")


def read(stream):
    with stream as opened:
        return list(opened), opened.completion


async def aread(stream):
    async with stream as opened:
        return [piece async for piece in opened], opened.completion


def test_pieces_come_as_the_server_sends_them(make):
    pieces, completion = read(make(a=(["Hel", "lo ", "there"],)).client.stream(HELLO))
    assert pieces == ["Hel", "lo ", "there"]
    assert (completion.text, completion.finish_reason) == ("Hello there", "stop")


def test_nothing_is_sent_before_the_first_piece_is_asked_for(make):
    bench = make(a=(["Hi"],))
    with bench.client.stream(HELLO) as stream:
        assert bench.counts() == {"a": 0}
        next(iter(stream))
    assert bench.counts() == {"a": 1}


def test_bad_input_is_told_before_the_stream_begins(make):
    with pytest.raises(rf.MessageError, match=r"messages\[0\]: unknown role 'wizard'"):
        make(a=("Hi",)).client.stream([{"role": "wizard", "content": "x"}])


def test_a_prefill_that_no_chat_endpoint_would_continue_is_told_before_the_stream_begins(make):
    bench = make(a=("Hi",), settings={"a": {"endpoint": "chat"}})
    with pytest.raises(rf.MessageError, match="chatPrefill = true"):
        bench.client.stream([*HELLO, {"role": "assistant", "content": "Once"}])


def test_before_the_first_character_a_retry_is_free(make):
    bench = make(a=([BROKEN], ["Hi."]))
    pieces, completion = read(bench.client.stream(HELLO))
    assert pieces == ["Hi."]
    assert [attempt.ok for attempt in completion.attempts] == [False, True]
    assert bench.backends["a"].requests[1].prefill == ""


def test_a_broken_stream_goes_on_from_where_it_broke(make):
    bench = make(a=(["Once upon ", BROKEN], ["a time."]))
    pieces, completion = read(bench.client.stream(HELLO))
    assert "".join(pieces) == completion.text == "Once upon a time."
    prompt = bench.backends["a"].requests[1].prompt
    assert prompt == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nOnce upon "


def test_and_on_the_next_profile_in_its_own_format(make):
    bench = make(
        a=(["Once upon ", rf.TooLarge("x", kind="line")],), b=(["a time."],), settings={"b": {"template": "vicuna"}}
    )
    pieces, completion = read(bench.client.stream(HELLO))
    assert "".join(pieces) == "Once upon a time."
    assert completion.segments == (rf.Segment("a", "Once upon "), rf.Segment("b", "a time."))
    assert completion.format == "vicuna"
    assert bench.backends["b"].requests[0].prompt.endswith("USER: Hello\nASSISTANT: Once upon ")


def test_a_continuation_gets_the_tokens_that_are_left(make):
    bench = make(a=(["one ", "two ", BROKEN], ["three"]), settings={"a": {"sampler": {"maxTokens": 10}}})
    read(bench.client.stream(HELLO))
    assert [request.sampler.max_tokens for request in bench.backends["a"].requests] == [10, 8]


def test_with_on_interrupt_raise_the_error_carries_the_text(make):
    bench = make(a=(["Once upon ", BROKEN],), b=(["never"],), settings={"a": {"onInterrupt": "raise"}})
    stream = bench.client.stream(HELLO)
    got = []
    with pytest.raises(rf.StreamBroken) as caught, stream:
        got.extend(stream)
    assert caught.value.partial == "Once upon "
    assert caught.value.attempts[0].next == "give up (onInterrupt is raise)"
    assert (stream.completion.text, stream.completion.finish_reason, bench.counts()["b"]) == ("Once upon ", None, 0)


def test_before_the_first_character_on_interrupt_raise_changes_nothing(make):
    bench = make(a=([BROKEN], ["Hi."]), settings={"a": {"onInterrupt": "raise"}})
    assert read(bench.client.stream(HELLO))[0] == ["Hi."]


def test_a_chat_profile_cannot_continue_and_says_what_was_received(make):
    bench = make(a=(["Once ", BROKEN],), b=(["never"],), settings={name: {"endpoint": "chat"} for name in "ab"})
    stream = bench.client.stream(HELLO)
    with pytest.raises(rf.AllProfilesFailed) as caught, stream:
        list(stream)
    assert (caught.value.partial, bench.counts()) == ("Once ", {"a": 1, "b": 0})
    assert caught.value.attempts[0].next == "no profile left (this profile cannot continue a broken reply)"


@pytest.mark.parametrize("settings", [{"format": "json"}, {}])
def test_a_reply_that_must_follow_a_schema_is_not_continued_where_that_would_begin_anew(make, settings):
    bench = make(a=(['{"a', BROKEN], ['{"a": 1}']), settings={"a": settings})
    asked = {} if settings else {"response_format": {"type": "json_object"}}
    with pytest.raises(rf.AllProfilesFailed) as caught:
        read(bench.client.stream(HELLO, **asked))
    assert (caught.value.partial, bench.counts()) == ('{"a', {"a": 1})


def test_a_chat_profile_whose_server_continues_a_prefill_goes_on(make):
    bench = make(a=(["Once ", BROKEN], ["upon"]), settings={"a": {"endpoint": "chat", "chatPrefill": True}})
    pieces, _ = read(bench.client.stream(HELLO))
    assert "".join(pieces) == "Once upon"
    assert bench.backends["a"].requests[1].prefill == "Once "


def test_a_failed_stream_ends_and_sends_nothing_more(make):
    bench = make(a=([rf.AuthenticationFailed("no", kind="status", status=401)],))
    stream = bench.client.stream(HELLO)
    with pytest.raises(rf.AllProfilesFailed):
        next(stream)
    assert list(stream) == []
    assert bench.counts() == {"a": 1}


def test_an_early_break_leaves_a_partial_completion(make):
    bench = make(a=(["one ", "two ", "three"],))
    with bench.client.stream(HELLO) as stream:
        for piece in stream:
            assert piece == "one "
            break
    assert (stream.completion.text, stream.completion.finish_reason) == ("one ", None)
    assert list(stream) == []


def test_a_stop_sequence_ends_the_text_and_the_reading(make):
    bench = make(a=(["Hi.<|im", "_end|>\n<|im_", "start|>user\nmore"],))
    pieces, completion = read(bench.client.stream(HELLO))
    assert (pieces, completion.text, completion.finish_reason) == (["Hi."], "Hi.", "stop")


def test_stop_sequences_are_enforced_on_whole_replies_too(make):
    completion = make(a=("Hi.<|im_end|>\nmore",)).client.complete(HELLO)
    assert (completion.text, completion.finish_reason) == ("Hi.", "stop")


def test_what_was_held_back_is_not_lost_at_the_end(make):
    pieces, completion = read(make(a=(["a <|im_", ""],)).client.stream(HELLO))
    assert "".join(pieces) == completion.text == "a <|im_"


def test_what_was_held_back_is_not_lost_at_a_break(make):
    bench = make(a=(["a <|im_", BROKEN], ["possible"]))
    pieces, completion = read(bench.client.stream(HELLO))
    assert "".join(pieces) == completion.text == "a <|im_possible"


def test_a_stop_sequence_is_found_across_a_break(make):
    bench = make(a=(["Hi.<|im_", BROKEN], ["end|>junk"]))
    assert read(bench.client.stream(HELLO))[1].text == "Hi."


def test_reply_prefix_and_suffix_are_removed_once(make):
    pieces, completion = read(
        make(a=(["  Hi. ", "\nUSER: more"],), settings={"a": {"template": "vicuna"}}).client.stream(HELLO)
    )
    assert "".join(pieces) == completion.text == " Hi. "
    _, completion = read(
        make(a=(["Hi.\n", "\n### Input:\nmore"],), settings={"a": {"template": "alpaca"}}).client.stream(HELLO)
    )
    assert completion.text == "Hi.\n"


def test_after_a_prefill_the_reply_has_no_prefix(make):
    bench = make(a=([" space"],), settings={"a": {"template": "vicuna"}})
    _, completion = read(bench.client.stream([*HELLO, {"role": "assistant", "content": "Outer"}]))
    assert completion.text == " space"
    assert bench.backends["a"].requests[0].prompt.endswith("ASSISTANT: Outer")


def test_a_reply_of_reasoning_alone_is_flagged(make):
    bench = make(a=(rf.Completion("", "stop", reasoning="hmm"),))
    completion = bench.client.complete(HELLO)
    assert (completion.text, completion.reasoning) == ("", "hmm")
    assert completion.warnings == ("the reply is reasoning alone, without an answer",)


def test_reasoning_is_never_text(make):
    bench = make(a=(rf.Completion("Hi.", "stop", reasoning="hmm"),))
    pieces, completion = read(bench.client.stream(HELLO))
    assert (pieces, completion.reasoning, completion.warnings) == (["Hi."], "hmm", ())


def test_a_consumers_own_exception_is_not_retried(make):
    bench = make(a=(["one ", "two"],))
    with pytest.raises(rf.ServerError), bench.client.stream(HELLO) as stream:
        for _ in stream:
            raise rf.ServerError("mine", kind="status")
    assert bench.counts() == {"a": 1}


TEXT = st.text(st.sampled_from(list("ab<|imend>_ \n")), max_size=40)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXT, cuts=st.lists(st.integers(0, 40), max_size=3), data=st.data())
def test_however_often_it_breaks_each_character_comes_once(make, text, cuts, data):
    """Breaks after any characters, on one profile or over three, in any chunks: the text is the unbroken one."""
    unbroken = make(a=([text],)).client.complete(HELLO).text
    points = sorted({min(cut, len(text)) for cut in cuts})
    parts = [text[a:b] for a, b in zip([0, *points], [*points, len(text)], strict=True)]
    scripts = {}
    for number, part in enumerate(parts):
        chunks = data.draw(chunked(part))
        last = number == len(parts) - 1
        scripts[f"p{number}"] = ([*chunks] if last else [*chunks, rf.TooLarge("x", kind="line")],)
    bench = make(**scripts)
    received = ""
    with bench.client.stream(HELLO) as stream:
        for piece in stream:
            assert piece
            received += piece
    if any(not bench.backends[name].requests[0].prefill for name in list(scripts)[1:] if bench.backends[name].requests):
        return  # nothing had been handed out yet: that attempt began anew, with only its own part of the text
    assert received == stream.completion.text == unbroken
    assert "".join(segment.text for segment in stream.completion.segments) == received


@st.composite
def chunked(draw, text):
    pieces = []
    while text:
        size = draw(st.integers(1, len(text)))
        pieces.append(text[:size])
        text = text[size:]
    return pieces


class TestAsync:
    """The async stream decides alike."""

    @pytest.mark.parametrize(
        "scripts",
        [
            {"a": (["Hel", "lo"],)},
            {"a": (["Once ", BROKEN], ["upon"])},
            {"a": (["Once ", rf.TooLarge("x", kind="line")],), "b": (["upon<|im_end|>x"],)},
            {"a": ([BROKEN], ["Hi."])},
        ],
        ids=["whole", "continued", "fell back", "free retry"],
    )
    def test_as_the_sync_one(self, make, scripts):
        one, two = make(**scripts), make(**scripts)
        pieces, completion = read(one.client.stream(HELLO))
        apieces, acompletion = asyncio.run(aread(two.aclient.stream(HELLO)))
        assert pieces == apieces
        assert completion.segments == acompletion.segments
        assert one.kinds() == two.kinds()

    def test_cancellation_passes_through_at_once(self, make):
        bench = make(a=(["Hi."],))

        async def forever(request):
            await asyncio.Event().wait()
            yield rf.Chunk("never")

        bench.backends["a"].astream = forever

        async def cancelled():
            task = asyncio.create_task(aread(bench.aclient.stream(HELLO)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return asyncio.all_tasks() - {asyncio.current_task()}

        assert asyncio.run(cancelled()) == set()
