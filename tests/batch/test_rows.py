"""What a row may look like, and what is said of one that is none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.batch import batch_row
from roleforge_llm.batch.rows import profile_of
from roleforge_llm.config import parse_config

HELLO = [{"role": "user", "content": "Hello"}]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["id", "messages", "profile", "tools", "response_format", "timeout", "temperature", "custom_id", "body", "url", "x"]
)


def openai(**body):
    return {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"messages": HELLO, **body}}


def test_a_row_of_our_own_shape():
    row = batch_row({"id": "a", "messages": HELLO, "profile": "p", "topP": 0.5, "timeout": 3}, 7)
    assert row == rf.BatchRow(7, HELLO, "a", profile="p", timeout=3, sampler={"topP": 0.5})


def test_a_row_of_openais_shape():
    row = batch_row(openai(model="m", max_completion_tokens=9, stop="\n", tool_choice="none", stream=False), 7)
    assert (row.id, row.messages, row.model, row.profile) == ("a", HELLO, "m", None)
    assert row.sampler == {"max_completion_tokens": 9, "stop": ["\n"], "extra": {"tool_choice": "none"}}


@pytest.mark.parametrize("absent", [{}, {"id": None}])
def test_the_line_is_the_id_of_a_row_without_one(absent):
    assert batch_row({"messages": HELLO, **absent}, 7).id == 7


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ([], "not-an-object", "must be an object, not a list"),
        ({"id": "a"}, "messages", "has no messages"),
        ({"id": "a", "messages": "Hello"}, "messages", "must be a list"),
        ({"id": True, "messages": HELLO}, "id", "text or a whole number, not true"),
        ({"id": 1.5, "messages": HELLO}, "id", "1.5"),
        ({"id": "", "messages": HELLO}, "id", '""'),
        ({"id": "\ud800", "messages": HELLO}, "id", "lone surrogate"),
        ({"messages": HELLO, "temprature": 1}, "unknown-key", '"temprature"; did you mean temperature?'),
        ({"messages": HELLO, "profile": 3}, "shape", "profile must be text, not a number"),
        ({"messages": HELLO, "tools": {}}, "shape", "tools must be a list"),
        ({"custom_id": "a"}, "shape", "no body"),
        ({"custom_id": "a", "body": []}, "shape", "body must be an object"),
        (openai() | {"method": "GET"}, "shape", "method must be POST"),
        (openai() | {"url": "/v1/embeddings"}, "shape", "/v1/embeddings"),
        (openai() | {"more": 1}, "shape", '"more" beside body'),
        ({"custom_id": "a", "body": {"prompt": "Hi"}}, "shape", "prompt instead of messages"),
        ({"custom_id": "a", "url": "/v1/completions", "body": {"prompt": "Hi"}}, "shape", "/v1/completions"),
        (openai(temprature=1), "unknown-key", 'body."temprature"'),
        (openai(stream=True), "shape", "stream"),
        (openai(model=3), "shape", "model must be text"),
    ],
)
def test_what_is_no_row_says_why(data, kind, words):
    with pytest.raises(rf.RowError) as caught:
        batch_row(data, 7)
    assert caught.value.kind == kind
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(deadline=None)
@given(st.dictionaries(KEYS, JSON) | JSON)
def test_anything_is_a_row_or_a_row_error(data):
    with contextlib.suppress(rf.RowError):
        assert isinstance(batch_row(data, 7).messages, list)


# ---------------------------------------------------------------------- which profile

CONFIG = parse_config({"profiles": {"a": {"backend": "x", "model": "m"}, "b": {"backend": "x", "model": "m"}}})


def for_profile(row_data, default=None):
    return profile_of(batch_row(row_data, 1), CONFIG, default)


def test_a_row_goes_to_its_own_profile_then_to_the_batchs_then_to_the_default():
    assert for_profile({"messages": HELLO, "profile": "b"}, "a") == "b"
    assert for_profile({"messages": HELLO}, "b") == "b"
    assert for_profile({"messages": HELLO}) == "a"


def test_a_model_is_a_profiles_name_or_a_profiles_model():
    assert for_profile(openai(model="b")) == "b"
    assert for_profile(openai(model="m")) == "a"
    assert for_profile(openai(model="m"), "b") == "b"
    assert for_profile(openai()) == "a"


def test_a_model_that_nobody_has_goes_where_the_batch_was_sent_and_else_nowhere():
    assert for_profile(openai(model="gpt"), "b") == "b"
    with pytest.raises(rf.RowError, match=r'"gpt".*--profile') as caught:
        for_profile(openai(model="gpt"))
    assert caught.value.kind == "model"
    with pytest.raises(rf.RowError, match='no profile "c"') as caught:
        for_profile({"messages": HELLO, "profile": "c"})
    assert caught.value.kind == "profile"
