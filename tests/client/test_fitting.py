"""Fitting the context: the oldest turns go first and whole, nothing silently, never the last exchange."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.client.fitting import turns
from roleforge_llm.messages import conversation


def talk(*contents: str, system: str | None = None):
    """user, assistant, user ... with these contents."""
    head = [] if system is None else [{"role": "system", "content": system}]
    return head + [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(contents)]


def window(tokens, **more):
    return {"a": {"sampler": {"maxContextTokens": tokens, "maxTokens": 10}, **more}}


def by_character(bench):
    """Count one token for each character, as a server's own tokenizer might."""
    bench.backends["a"].count_tokens = lambda request: len(request.prompt)
    return bench


LONG = talk("a" * 100, "b" * 100, "c" * 100, "d" * 100, "e" * 20, system="s" * 20)


def test_without_a_limit_everything_is_sent(make):
    completion = make(a=("Hi",)).client.complete(LONG)
    assert completion.omitted == ()


def test_what_fits_is_sent_whole(make):
    bench = by_character(make(a=("Hi",), settings=window(2000)))
    assert bench.client.complete(LONG).omitted == ()


def test_the_oldest_turns_are_left_out_pairwise_until_it_fits(make):
    bench = by_character(make(a=("Hi",), settings=window(500)))
    completion = bench.client.complete(LONG)
    assert completion.omitted == (1, 2)
    prompt = bench.backends["a"].requests[0].prompt
    assert len(prompt) + 10 <= 500
    assert "a" * 100 not in prompt
    assert "c" * 100 in prompt


def test_system_message_and_last_user_message_always_stay(make):
    bench = by_character(make(a=("Hi",), settings=window(220)))
    assert bench.client.complete(LONG).omitted == (1, 2, 3, 4)
    prompt = bench.backends["a"].requests[0].prompt
    assert "s" * 20 in prompt
    assert "e" * 20 in prompt


def test_it_is_told_on_the_completion_and_as_an_event(make):
    bench = by_character(make(a=("Hi",), settings=window(500)))
    assert bench.client.complete(LONG).warnings == ("2 messages were left out to fit the context (tokens estimated)",)
    assert bench.kinds()[0] == "context-trimmed"


def test_if_the_last_exchange_does_not_fit_nothing_is_sent_and_the_numbers_are_told(make):
    bench = by_character(make(a=("Hi",), settings=window(60)))
    with pytest.raises(
        rf.AllProfilesFailed, match=r"the prompt has \d+ tokens, and 50 of the context's 60 are free"
    ) as caught:
        bench.client.complete(LONG)
    assert isinstance(caught.value.__cause__, rf.ContextTooLong)
    assert bench.counts() == {"a": 0}


def test_on_overflow_error_leaves_nothing_out(make):
    bench = by_character(make(a=("Hi",), settings=window(500, onOverflow="error")))
    with pytest.raises(rf.AllProfilesFailed, match="onOverflow is error"):
        bench.client.complete(LONG)
    assert bench.counts() == {"a": 0}


def test_a_fallback_fits_its_own_window(make):
    bench = by_character(make(a=("never",), b=("Hi",), settings=window(60)))
    completion = bench.client.complete(LONG)
    assert (completion.profile, completion.omitted, bench.counts()) == ("b", (), {"a": 0, "b": 1})


def test_the_prefill_always_stays(make):
    bench = by_character(make(a=("Hi",), settings=window(500)))
    bench.client.complete([*LONG, {"role": "assistant", "content": "Well"}])
    assert bench.backends["a"].requests[0].prompt.endswith("Well")


def test_the_estimate_is_conservative_and_said_to_be_one(make):
    assert rf.estimate_tokens("The quick brown fox jumps over the lazy dog.") == 16
    assert rf.estimate_tokens("12345") == 5
    assert rf.estimate_tokens("日本語") == 3
    (warning,) = make(a=("Hi",), settings=window(150)).client.complete(LONG).warnings
    assert warning.endswith("(tokens estimated)")


def test_async_calls_fit_alike(make):
    bench = by_character(make(a=("Hi",), settings=window(500)))
    assert asyncio.run(bench.aclient.complete(LONG)).omitted == (1, 2)


MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "user", "assistant"]),
        st.text("xyz ", min_size=1, max_size=30),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES, limit=st.integers(40, 400))
def test_for_any_conversation_the_fewest_whole_turns_are_left_out(make, messages, limit):
    bench = by_character(make(a=("Hi",), settings=window(limit)))
    checked = conversation(messages)
    assume(checked.messages)
    droppable = turns(checked.messages)
    try:
        omitted = bench.client.complete(messages).omitted
    except rf.AllProfilesFailed:
        omitted = tuple(index for turn in droppable for index in turn)
        rest = [message for index, message in enumerate(messages) if index not in omitted]
        assert len(rf.render(rest, "chatml").text) + 10 > limit
        return
    prompt = bench.backends["a"].requests[0].prompt
    assert len(prompt) + 10 <= limit
    dropped = [turn for turn in droppable if set(turn) <= set(omitted)]
    assert sorted(index for turn in dropped for index in turn) == list(omitted)
    assert dropped == droppable[: len(dropped)]
    if dropped:
        kept = {index for turn in dropped[:-1] for index in turn}
        more = [message for index, message in enumerate(messages) if index not in kept]
        assert len(rf.render(more, "chatml").text) + 10 > limit
