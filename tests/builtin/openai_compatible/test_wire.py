"""What is sent: body, headers and address of a request."""

from __future__ import annotations

import json

import pytest

from roleforge_llm import Capabilities, InvalidRequest, Message, Profile, Sampler
from roleforge_llm.transport import encoded, headers_of
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend, capabilities
from roleforge_llm_builtin.openai_compatible.requests import body_of, url_of

URL = "http://127.0.0.1:5001/v1"
OPENAI = "https://api.openai.com/v1"
FULL = Sampler(
    temperature=0.5, top_p=0.9, top_k=40, min_p=0.05, max_tokens=100, max_context_tokens=4096, frequency_penalty=0.1,
    presence_penalty=-0.1, stop=("END",), logit_bias={"50256": -100}, seed=7, dry_multiplier=0.8, dry_base=1.75,
    dry_allowed_length=2, dry_sequence_breakers=("\n",), extra={"mirostat": 2},
)  # fmt: skip
ON_THE_WIRE = {
    "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "max_tokens": 100, "frequency_penalty": 0.1,
    "presence_penalty": -0.1, "logit_bias": {"50256": -100}, "seed": 7, "dry_multiplier": 0.8, "dry_base": 1.75,
    "dry_allowed_length": 2, "dry_sequence_breakers": ["\n"], "mirostat": 2,
}  # fmt: skip


def sent(request) -> dict[str, object]:
    return json.loads(encoded(body_of(request, capabilities(request.profile))))


@pytest.mark.parametrize("endpoint", ["chat", "completions"])
def test_every_setting_of_a_sampler_has_its_name_on_the_wire(request_to, endpoint):
    body = sent(request_to(URL, endpoint=endpoint, sampler=FULL, prompt="Once"))
    content = {"prompt": "Once"} if endpoint == "completions" else {"messages": [{"role": "user", "content": "Hi"}]}
    assert body == {"model": "m", **content, **ON_THE_WIRE}


def test_zero_is_a_value_and_none_is_left_out(request_to):
    zero = Sampler(
        temperature=0, top_p=0, top_k=0, min_p=0, frequency_penalty=0, presence_penalty=0, seed=0, dry_multiplier=0
    )
    assert list(sent(request_to(URL, sampler=zero)).values()).count(0) == 8
    assert set(sent(request_to(URL))) == {"model", "messages"}


def test_a_profile_without_a_model_sends_none(request_to):
    assert "model" not in sent(request_to(URL, model=""))


@pytest.mark.parametrize(
    ("url", "endpoint", "name"),
    [(URL, "chat", "max_tokens"), (OPENAI, "chat", "max_completion_tokens"), (OPENAI, "completions", "max_tokens")],
)
def test_the_token_limit_has_the_name_that_the_server_takes(request_to, url, endpoint, name):
    body = sent(request_to(url, endpoint=endpoint, sampler=Sampler(max_tokens=5)))
    assert {key: body[key] for key in body if "tokens" in key} == {name: 5}


def test_extra_settings_are_added_as_they_stand_and_win(request_to):
    sampler = Sampler(temperature=0.5, extra={"temperature": 1.5, "nested": {"a": [1, None]}})
    body = sent(request_to(URL, sampler=sampler))
    assert (body["temperature"], body["nested"]) == (1.5, {"a": [1, None]})


def test_stop_sequences_are_sent_as_many_as_the_server_takes(request_to):
    stop = ("a", "b", "c", "d", "e")
    assert sent(request_to(URL, stop=stop))["stop"] == list(stop)
    assert sent(request_to(OPENAI, stop=stop))["stop"] == ["a", "b", "c", "d"]
    assert "stop" not in sent(request_to(URL))


def test_a_stream_asks_for_the_token_count(request_to):
    body = sent(request_to(URL, stream=True))
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_tools_and_the_response_format_are_passed_on(request_to):
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    body = sent(request_to(URL, tools=tools, response_format={"type": "json_object"}))
    assert (body["tools"], body["response_format"]) == (tools, {"type": "json_object"})
    assert sent(request_to(URL, format="json"))["response_format"] == {"type": "json_object"}


def test_messages_are_sent_as_they_are_and_the_prefill_last(request_to):
    parts = [{"type": "image_url", "image_url": {"url": "data:,"}}, {"type": "text", "text": "What?"}]
    messages = (
        Message("user", parts, name="Ann"),
        Message("assistant", None, extra={"tool_calls": [{"id": "1"}]}),
        Message("tool", "42", extra={"tool_call_id": "1"}),
    )
    import attrs

    request = attrs.evolve(request_to(URL, prefill="So"), messages=messages)
    assert sent(request)["messages"] == [
        {"role": "user", "content": parts, "name": "Ann"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
        {"role": "assistant", "content": "So"},
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_is_no_json_is_an_error_before_anything_is_sent(request_to, value):
    with pytest.raises(InvalidRequest) as caught:
        sent(request_to(URL, sampler=Sampler(extra={"x": value})))
    assert caught.value.kind == "unsendable"


@pytest.mark.parametrize(
    ("base", "endpoint", "url"),
    [
        ("http://h/v1", "chat", "http://h/v1/chat/completions"),
        ("http://h/v1/", "completions", "http://h/v1/completions"),
        ("http://h/v1?key=a%20b", "chat", "http://h/v1/chat/completions?key=a%20b"),
        ("http://[::1]:1", "chat", "http://[::1]:1/chat/completions"),
    ],
)
def test_the_path_is_added_before_a_query(request_to, base, endpoint, url):
    assert url_of(request_to(base, endpoint=endpoint)) == url


def test_the_key_is_the_profiles_own_and_its_headers_stand_above_it():
    plain = headers_of(Profile("p", base_url=URL))
    assert "authorization" not in plain
    assert headers_of(Profile("p", base_url=URL, api_key="k"))["authorization"] == "Bearer k"
    from roleforge_llm import Secret

    other = Profile("p", base_url=URL, api_key="k", headers={"Authorization": Secret("Basic x"), "X-A": Secret("1")})
    assert headers_of(other) == {**plain, "authorization": "Basic x", "x-a": "1"}


@pytest.mark.parametrize("key", ["sk-\nX-Injected: 1", "sk-\r", "sk-é", "sk-\x00"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_and_not_shown(key):
    with pytest.raises(InvalidRequest) as caught:
        headers_of(Profile("p", base_url=URL, api_key=key))
    assert "sk-" not in str(caught.value)


def test_the_body_of_explain_is_the_body_on_the_wire_and_holds_no_secret(server, backend, request_to, key):
    session = server.session("ok")
    request = request_to(session.base_url, sampler=FULL, stop=("x",))
    backend.complete(request)
    shown = backend.wire_body(request)
    assert session.requests[0].json == json.loads(json.dumps(shown))
    assert key not in json.dumps(shown)


def test_a_plugin_gives_the_capabilities_of_its_own_servers(request_to):
    backend = OpenAICompatibleBackend(lambda profile: Capabilities(max_stop=1))
    assert backend.wire_body(request_to(URL, stop=("a", "b")))["stop"] == ["a"]


def test_nothing_of_the_environment_reaches_a_server(server, backend, request_to, monkeypatch, outcomes):
    """Neither keys nor addresses, organisations or headers that the SDK reads from OPENAI_* variables."""
    session = server.session("ok")
    for name, value in {
        "OPENAI_API_KEY": "sk-env", "OPENAI_ADMIN_KEY": "sk-env", "OPENAI_ORG_ID": "sk-env", "OPENAI_PROJECT_ID": "sk-env",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/sk-env", "OPENAI_WEBHOOK_SECRET": "sk-env",
        "OPENAI_CUSTOM_HEADERS": "x-env: sk-env\nauthorization: Bearer sk-env",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (outcome,) = outcomes(backend, [request_to(session.base_url, api_key=None)])
    assert outcome.error is None
    (received,) = session.requests
    assert "sk-env" not in repr(received)
    http = {"host", "accept", "accept-encoding", "connection", "content-type", "content-length", "user-agent"}
    assert set(received.headers) == http
