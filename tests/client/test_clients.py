"""What a client is made of, and what it refuses before anything is sent."""

from __future__ import annotations

import logging

import pytest

import roleforge_llm as rf

HELLO = [{"role": "user", "content": "Hello"}]


def faulty(**profiles):
    return rf.Client({"profiles": profiles})


def test_a_mapping_is_as_good_as_a_file():
    client = rf.Client({"profiles": {"a": {"baseURL": "http://localhost:1/v1"}}})
    assert client.config.default_profile == "a"


def test_a_file_is_found_or_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("ROLEFORGE_LLM_CONFIG", raising=False)
    with pytest.raises(rf.ConfigError, match="roleforge-llm init"):
        rf.Client.from_config()
    path = tmp_path / "roleforge-llm.toml"
    path.write_text('[profiles.a]\nbase_url = "http://localhost:1/v1"\n')
    assert rf.Client.from_config().config.profile(None).name == "a"
    assert rf.AsyncClient.from_config(path).config.source == path


@pytest.mark.parametrize(
    ("settings", "path", "words"),
    [
        ({"backend": "openai-compatibel"}, "profiles.a.backend", "did you mean openai-compatible?"),
        ({"failurePolicy": "backoff"}, "profiles.a.failurePolicy", "backoff-then-fallback"),
        ({"template": "./gone.jinja"}, "profiles.a.template", "gone.jinja"),
        ({"apiKey": "${NOT_SET_ANYWHERE}"}, "profiles.a.apiKey", "NOT_SET_ANYWHERE"),
        ({"baseURL": None}, "profiles.a.baseURL", "needs the URL of a server"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_path_before_anything_is_sent(settings, path, words):
    client = faulty(a={"baseURL": "http://localhost:1/v1", **settings})
    with pytest.raises(rf.ConfigError) as caught:
        client.complete(HELLO)
    (fault,) = caught.value.faults
    assert fault.path == path
    assert words in fault.message


def test_faults_of_a_fallback_are_told_too():
    client = faulty(
        a={"baseURL": "http://localhost:1/v1", "fallbackProfiles": ["b"]},
        b={"baseURL": "http://localhost:1/v1", "backend": "gone", "failurePolicy": "gone"},
    )
    with pytest.raises(rf.ConfigError) as caught:
        client.complete(HELLO)
    assert [fault.path for fault in caught.value.faults] == ["profiles.b.backend", "profiles.b.failurePolicy"]


def test_faults_of_profiles_out_of_reach_are_warnings(make, caplog):
    bench = make(
        a=("Hi.",), b=("Hi.",), settings={"a": {"fallbackProfiles": []}, "b": {"apiKey": "${NOT_SET_ANYWHERE}"}}
    )
    with caplog.at_level(logging.WARNING, "roleforge_llm"):
        assert bench.client.complete(HELLO).text == "Hi."
        bench.client.complete(HELLO)
    (record,) = caplog.records
    assert "NOT_SET_ANYWHERE" in record.getMessage()


def test_an_unknown_format_is_a_warning_on_the_completion(make):
    completion = make(a=("Hi.",), settings={"a": {"template": "chatmll"}}).client.complete(HELLO)
    assert completion.format == "chatml"
    assert "no prompt format is called 'chatmll'; did you mean 'chatml'" in completion.warnings[0]


def test_prompts_in_a_format_that_nobody_named_are_a_warning(make):
    bench = make(a=("Hi.",), settings={"a": {"template": None, "endpoint": "completions"}})
    completion = bench.client.complete(HELLO)
    assert completion.format == "chatml"
    assert completion.warnings == ("profile a names no template; its prompts are made in chatml",)
    assert completion.warnings == bench.client.explain(HELLO).warnings


def test_on_a_chat_endpoint_a_template_gives_its_stop_sequences_alone(make):
    bench = make(a=("Hi.",), settings={"a": {"endpoint": "chat", "template": "alpaca"}})
    completion = bench.client.complete(HELLO)
    (request,) = bench.backends["a"].requests
    assert (request.prompt, request.stop[0], completion.format) == (None, "### Input:", None)


def test_a_chat_request_without_a_template_has_only_the_samplers_stops(make):
    bench = make(a=("Hi.",), settings={"a": {"endpoint": "chat", "template": None, "sampler": {"stop": ["END", ""]}}})
    bench.client.complete(HELLO)
    assert bench.backends["a"].requests[0].stop == ("END",)


def test_overrides_are_checked_like_configuration(make):
    client = make(a=("Hi.",)).client
    with pytest.raises(rf.ConfigError, match=r"sampler.tempratur.*did you mean"):
        client.complete(HELLO, tempratur=0.5)


def test_format_json_asks_for_a_json_object(make):
    bench = make(a=("{}",), settings={"a": {"format": "json"}})
    bench.client.complete(HELLO)
    bench.client.complete(HELLO, response_format={"type": "text"})
    assert [r.response_format for r in bench.backends["a"].requests] == [{"type": "json_object"}, {"type": "text"}]


def test_one_bos_is_dropped_where_the_server_adds_its_own(make, tmp_path):
    path = tmp_path / "own.jinja"
    path.write_text(
        '{% set stop_sequence = ["END"] %}{% set bos = "template" %}{% set bos_token = "<s>" %}<s>{{ user_message }}:'
    )
    bench = make(a=("Hi.",), settings={"a": {"template": str(path)}})
    assert rf.render(HELLO, str(path)).text == "<s>Hello:"
    bench.client.complete(HELLO)
    assert bench.backends["a"].requests[0].prompt == "Hello:"


def test_tools_need_a_chat_endpoint(make):
    tools = [{"type": "function", "function": {"name": "f"}}]
    with pytest.raises(rf.MessageError, match="tools need a chat endpoint"):
        make(a=("Hi.",)).client.complete(HELLO, tools=tools)
    bench = make(a=("Hi.",), settings={"a": {"endpoint": "chat"}})
    bench.client.complete(HELLO, tools=tools)
    assert bench.backends["a"].requests[0].tools == tools


def test_a_backend_that_is_incomplete_is_told_what_it_lacks():
    class Half:
        def complete(self, request):
            return rf.Completion("x")

    class Plugin:
        @rf.hookimpl
        def roleforge_backends(self):
            return [rf.BackendSpec("half", Half)]

    client = rf.Client({"profiles": {"a": {"backend": "half"}}}, rf.PluginHost(plugins=[Plugin()]))
    with pytest.raises(rf.PluginError, match=r"'half' of Plugin has no .*; subclass roleforge_llm.Backend"):
        client.complete(HELLO)


class Offering:
    """A plugin that offers one backend from this factory."""

    def __init__(self, factory):
        self.factory = factory

    @rf.hookimpl
    def roleforge_backends(self):
        return [rf.BackendSpec("theirs", self.factory)]


@pytest.mark.parametrize("factory", [lambda: 1 / 0, rf.Backend, "nopkg.mod:Cls", "roleforge_llm:Nothing"])
def test_a_backend_that_cannot_be_made_is_an_error_that_names_its_plugin(factory):
    client = rf.Client({"profiles": {"a": {"backend": "theirs"}}}, rf.PluginHost(plugins=[Offering(factory)]))
    with pytest.raises(rf.PluginError, match=r"the backend 'theirs' of Offering cannot be made by "):
        client.complete(HELLO)
    assert [fault.path for fault in client._core.check()["a"]] == ["profiles.a.backend"]


@pytest.mark.parametrize("given", [None, 5, rf.Completion(5), rf.Completion(None)], ids=repr)
def test_a_backend_that_gives_no_text_is_a_failure_like_others(given):
    class Odd(rf.Backend):
        def complete(self, request):
            return given

    client = rf.Client({"profiles": {"a": {"backend": "theirs"}}}, rf.PluginHost(plugins=[Offering(Odd)]))
    with pytest.raises(rf.AllProfilesFailed, match=r"the backend theirs raised TypeError: a .* was expected"):
        client.complete(HELLO)


def test_a_backend_with_complete_alone_streams_and_serves_asyncio(make):
    class Smallest(rf.Backend):
        def complete(self, request):
            return rf.Completion("Hi.", "stop")

    class Plugin:
        @rf.hookimpl
        def roleforge_backends(self):
            return [rf.BackendSpec("smallest", Smallest)]

    host = rf.PluginHost(plugins=[Plugin()])
    with rf.Client({"profiles": {"a": {"backend": "smallest"}}}, host) as client:
        with client.stream(HELLO) as stream:
            assert list(stream) == ["Hi."]
        assert stream.completion.finish_reason == "stop"


def test_explain_says_where_each_stop_sequence_comes_from(make):
    bench = make(a=("x",), settings={"a": {"sampler": {"stop": ["END", "<|im_end|>"]}}})
    found = bench.client.explain(HELLO)
    assert [(stop.text, stop.origin) for stop in found.stop] == [
        ("<|im_end|>", "format chatml and sampler"),
        ("<|im_start|>", "format chatml"),
        ("END", "sampler"),
    ]
    assert bench.counts() == {"a": 0}


def test_a_key_in_the_urls_query_is_never_shown(make):
    bench = make(a=("x",), settings={"a": {"baseURL": "http://localhost:1/v1?key=sk-canary&x"}})
    profile = bench.client.config.profile(None)
    assert bench.client.explain(HELLO).base_url == "http://localhost:1/v1?key=***&x=***"
    assert "sk-canary" not in repr(profile) + repr(bench.client.config)


def test_explain_says_where_names_are_not_shown(make):
    found = make(a=("x",)).client.explain([{"role": "user", "name": "Ann", "content": "Hello"}])
    assert "the format chatml does not show names; messages[0] has one" in found.warnings
