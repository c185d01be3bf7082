"""What is sent, and what is refused before it is sent because llama.cpp would pass over it without a word."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from roleforge_llm_llamacpp.parameters import OURS, PARAMETERS, SAMPLERS, parameters
from roleforge_llm_llamacpp.settings import check_profile, completion_body
from roleforge_llm_llamacpp.values import Number

from roleforge_llm import InvalidRequest, Message, Profile, Request, Sampler

README = Path(__file__).parents[1] / "README.md"
NUMBERS = {name: kind for name, kind in PARAMETERS.items() if isinstance(kind, Number)}


def request(extra: dict[str, object] | None = None, **fields: Any) -> Request:
    sampler = Sampler(extra=extra or {}, **fields.pop("sampler", {}))
    profile = Profile("p", backend="llamacpp", **fields.pop("profile", {}))
    fields = {"endpoint": "completions", "prompt": "Once", **fields}
    return Request(profile, messages=(Message("user", "Hi"),), sampler=sampler, **fields)


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        completion_body(request(*args, **kwargs))
    assert caught.value.kind == "sampler"
    return str(caught.value)


def test_every_setting_of_a_sampler_is_sent_by_llama_cpps_name() -> None:
    sampler = {
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "max_tokens": 100, "frequency_penalty": 0.1,
        "presence_penalty": -0.1, "seed": 7, "dry_multiplier": 0.8, "dry_base": 1.75, "dry_allowed_length": 2,
        "dry_sequence_breakers": ("\n",), "logit_bias": {"75": -100, "Hello": 2},
    }  # fmt: skip
    body = completion_body(request({"mirostat": 2}, sampler=sampler, stop=("a", "b"), stream=True))
    renamed = {name: value for name, value in sampler.items() if name not in {"max_tokens", "logit_bias"}}
    biases = [[75, -100], ["Hello", 2]]
    assert body == {
        **renamed, "prompt": "Once", "n_predict": 100, "logit_bias": biases, "mirostat": 2, "stop": ["a", "b"],
        "stream": True,
    }  # fmt: skip


def test_what_is_not_set_is_left_to_the_server() -> None:
    assert completion_body(request()) == {"prompt": "Once"}


def test_a_remote_server_is_told_the_model_and_an_embedded_one_has_only_its_own() -> None:
    assert "model" not in completion_body(request(profile={"model": "canary"}))
    remote = {"model": "canary", "base_url": "http://127.0.0.1:8080"}
    assert completion_body(request(profile=remote))["model"] == "canary"


def test_a_misspelt_name_is_refused_with_the_nearest() -> None:
    assert refusal({"xtc_probabilty": 0.5}) == (
        "sampler.extra.xtc_probabilty: is no parameter of llama.cpp's completions; did you mean xtc_probability?"
    )
    assert "the README of roleforge-llm-llamacpp lists" in refusal({"qqqqq": 1})


@pytest.mark.parametrize("name", OURS)
def test_what_the_request_says_itself_is_refused_with_its_place(name: str) -> None:
    assert f"sampler.extra.{name}: cannot be set; {OURS[name]}" in refusal({name: 1})


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = refusal({"mirostat": 3, "grammer": "x"}, sampler={"seed": 2**40})
    assert "sampler.extra.grammer: is no parameter" in told
    assert "sampler.extra.mirostat: must be a whole number between 0 and 2, not 3" in told
    assert "sampler.seed: must be a whole number between -1 and 4294967295, not 1099511627776" in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samplers", ["top_q"]), ("samplers", []), ("samplers", "kq"), ("dry_sequence_breakers", []),
        ("dry_sequence_breakers", "\n"), ("grammar", ""), ("grammar", 5), ("json_schema", "{}"),
        ("json_schema", ["a"]), ("logit_bias", [[75]]), ("logit_bias", [[75, True]]), ("logit_bias", [[-1, 1]]),
        ("logit_bias", {"a": "b"}), ("logit_bias", 5), ("lora", [{"id": 0}]), ("lora", {"id": 0, "scale": 1}),
        ("cache_prompt", 1), ("id_slot", "0"), ("id_slot", 0.5), ("top_p", True), ("temperature", float("nan")),
        ("temperature", float("inf")), ("temperature", 1e39), ("temperature", 10**400), ("top_k", 2**31),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(name: str, value: object) -> None:
    assert f"sampler.extra.{name}: must be {PARAMETERS[name].describe()}" in refusal({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samplers", list(SAMPLERS)), ("logit_bias", [[75, False], ["Hello", -1.5]]), ("logit_bias", {"75": False}),
        ("lora", [{"id": 0, "scale": 0.5}]), ("json_schema", {}), ("grammar", 'root ::= "a"'), ("ignore_eos", True),
    ],
)  # fmt: skip
def test_values_of_the_right_kind_are_sent(name: str, value: Any) -> None:
    sent = completion_body(request({name: value}))[name]
    assert sent == ([[75, False]] if isinstance(value, dict) and name == "logit_bias" else value)


@limits(deadline=None)
@given(st.sampled_from(sorted(NUMBERS)), st.one_of(st.integers(-10, 2**33), st.floats(-10, 10)))
def test_a_number_is_sent_as_it_is_or_refused_with_its_range(name: str, value: float) -> None:
    kind = NUMBERS[name]
    body = request({name: value})
    inside = (kind.low is None or value >= kind.low) and (kind.high is None or value <= kind.high)
    if inside and (isinstance(value, int) or "whole" not in kind.describe()):
        assert completion_body(body)[name] == value
    else:
        with pytest.raises(InvalidRequest, match=re.escape(kind.describe())):
            completion_body(body)


def test_a_setting_given_twice_is_refused_since_only_one_can_hold() -> None:
    told = refusal({"temperature": 1, "seed": 5}, sampler={"temperature": 0, "seed": 9})
    assert "sampler.extra.temperature: is the same setting as sampler.temperature" in told
    assert "sampler.extra.seed: is the same setting as sampler.seed" in told


@pytest.mark.parametrize(
    ("extra", "fields"),
    [
        ({"grammar": "x", "json_schema": {}}, {}),
        ({"grammar": "x"}, {"response_format": {"type": "json_object"}}),
        ({"json_schema": {}}, {"response_format": {"type": "json_object"}}),
        ({"grammar": "x"}, {"tools": [{}]}),
    ],
)
def test_two_that_say_what_the_reply_may_be_are_refused(extra: dict[str, object], fields: dict[str, object]) -> None:
    assert "each says what the reply may be" in refusal(extra, **fields)


@pytest.mark.parametrize(
    ("asked", "schema"),
    [
        ({"type": "json_object"}, {"type": "object"}),
        ({"type": "json_object", "schema": {"type": "array"}}, {"type": "array"}),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}}, {"type": "null"}),
        ({"type": "text"}, None),
        (None, None),
    ],
)
def test_a_response_format_becomes_a_json_schema(asked: Any, schema: object) -> None:
    assert completion_body(request(response_format=asked)).get("json_schema") == schema


@pytest.mark.parametrize("asked", [{}, {"type": "xml"}, {"type": "json_schema"}, {"type": "json_object", "schema": 5}])
def test_a_response_format_that_is_none_is_refused(asked: Any) -> None:
    assert "response_format: must be" in refusal(response_format=asked)


def test_a_profile_is_checked_without_any_request() -> None:
    sampler = Sampler(dry_base=0.5, extra={"grammar": 'root ::= "a"', "mirostats": 2})
    faults = check_profile(Profile("p", backend="llamacpp", template="chatml", format="json", sampler=sampler))
    assert [fault.path for fault in faults] == ["sampler.extra.mirostats", "sampler.dry_base", "sampler.extra.grammar"]


def test_the_chat_endpoint_has_some_more() -> None:
    assert parameters("chat").keys() > PARAMETERS.keys()
    assert "sampler.extra.tool_choice: is no parameter of llama.cpp's completions" in refusal({"tool_choice": "auto"})


def test_the_readme_lists_every_parameter_with_its_values() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| [^|]+ \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {name: values.strip().replace("`", "") for name, values in rows}
    assert listed == {name: kind.describe() for name, kind in parameters("chat").items()}
