"""Types, ranges, keys and names: everything wrong is told at once, each with its path."""

import json
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import ConfigError, Sampler
from roleforge_llm.config import load_config, parse_config, with_overrides
from roleforge_llm.config.schema import ProfileTable, spellings

DATA = Path(__file__).parent.parent / "data" / "config"

SAMPLE = """
{"defaultProfile": "openai",
 "profiles": {
   "openai": {"baseURL": "http://localhost:5001/v1", "model": "gpt-3.5-turbo", "fallbackProfiles": ["kobold", "backup"],
              "retryConfig": {"maxRetries": 3, "initialDelayMs": 1000, "backoffMultiplier": 2, "jitterFactor": 0.1}},
   "kobold": {"baseURL": "http://backup-server:5001/v1", "model": "mistral", "template": "alpaca"},
   "backup": {"baseURL": "http://remote-api:8000/v1", "model": "llama2", "template": "llama2"}}}
"""


def faults(settings: object, name: str = "a") -> dict[str, str]:
    """What is wrong with a configuration of one profile with *settings*: path below the profile -> message."""
    return all_faults({"profiles": {name: settings}})


def all_faults(data: object) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(data, environ={})  # type: ignore[arg-type]  # wrong on purpose
    return {fault.path.removeprefix("profiles.a."): fault.message for fault in caught.value.faults}


def test_the_sample_of_the_documentation_loads_as_it_stands() -> None:
    config = parse_config(json.loads(SAMPLE))
    assert [profile.name for profile in config.chain()] == ["openai", "kobold", "backup"]
    assert [profile.effective_endpoint for profile in config.chain()] == ["chat", "completions", "completions"]
    assert config.profile().retry_config.max_retries == 3


def test_a_roleforge_applications_own_file_loads_unchanged() -> None:
    config = load_config(DATA / "roleforge.json", environ={})
    studio, writer, kobold = config.profiles.values()
    assert config.default_profile == studio.name == "LM Studio"
    assert studio.sampler.frequency_penalty == 1.1
    assert studio.sampler.max_tokens == 400
    assert studio.format is None
    assert writer.format == "json"
    assert writer.sampler.dry_sequence_breakers == ("\n", ":", '"', "*")
    assert kobold.format is None
    assert kobold.sampler.logit_bias == {"50256": -100}
    assert config.faults == {}


def test_the_default_profile_is_the_first_where_none_is_named() -> None:
    assert parse_config({"profiles": {"z": {}, "a": {}}}).profile().name == "z"


def test_a_profile_needs_no_base_url_and_null_means_not_given() -> None:
    profile = parse_config(
        {"profiles": {"a": {"baseURL": None, "sampler": None, "timeouts": {"total": None}}}}
    ).profile()
    assert profile.base_url is None
    assert profile.sampler == Sampler()


def test_everything_wrong_is_reported_at_once() -> None:
    found = all_faults(
        {
            "defaultProfile": "opnai",
            "profilse": {},
            "profiles": {"openai": {"modle": "m", "topP": 1, "sampler": {"topP": 2, "tempature": 1}}, "b": 7},
        }
    )
    assert found == {
        "defaultProfile": 'there is no profile "opnai"; did you mean "openai"?',
        "profilse": 'unknown key; did you mean "profiles"?',
        "profiles.openai.modle": 'unknown key; did you mean "model"?',
        "profiles.openai.topP": "unknown key here; it belongs further down, as sampler.topP",
        "profiles.openai.sampler.topP": "must be between 0 and 1, not 2",
        "profiles.openai.sampler.tempature": 'unknown key; did you mean "temperature"?',
        "profiles.b": "must be a table, not a number",
    }


@pytest.mark.parametrize(
    ("settings", "path", "message"),
    [
        ({"retryConfig": {"maxRetries": "x"}}, "retryConfig.maxRetries", 'must be an integer, not "x"'),
        ({"retryConfig": {"maxRetries": -1}}, "retryConfig.maxRetries", "must be between 0 and 1000, not -1"),
        (
            {"retry_config": {"max_retries": 10**9}},
            "retry_config.max_retries",
            "must be between 0 and 1000, not 1000000000",
        ),
        ({"retryConfig": {"maxRetries": 3.7}}, "retryConfig.maxRetries", "must be an integer, not 3.7"),
        ({"retryConfig": {"maxRetries": True}}, "retryConfig.maxRetries", "must be an integer, not true"),
        ({"timeouts": {"total": "soon"}}, "timeouts.total", 'must be a number, not "soon"'),
        ({"sampler": {"topP": "0.9"}}, "sampler.topP", 'must be a number, not "0.9"'),
        ({"sampler": {"temperature": True}}, "sampler.temperature", "must be a number, not true"),
        ({"sampler": {"temperature": float("nan")}}, "sampler.temperature", "must be a finite number, not nan"),
        (
            {"sampler": {"seed": 10**400}},
            "sampler.seed",
            "must be between -1 and 9.22337203685478e+18, not a number of more than 54 digits",
        ),
        ({"sampler": {"stop": "x"}}, "sampler.stop", 'must be a list, not "x"'),
        ({"sampler": {"stop": ["a", None]}}, "sampler.stop[1]", "must be text, not null"),
        ({"sampler": {"n": 2}}, "sampler.n", "must be 1, not 2: a call gives one reply"),
        ({"sampler": {"forceJson": "yes"}}, "sampler.forceJson", 'must be true or false, not "yes"'),
        ({"sampler": {"logitBias": {"5": 101}}}, "sampler.logitBias.5", "must be between -100 and 100, not 101"),
        ({"sampler": {"extra": {"x": [float("inf")]}}}, "sampler.extra.x[0]", "must be a finite number, not inf"),
        ({"sampler": []}, "sampler", "must be a table, not a list"),
        ({"model": 5}, "model", "must be text, not 5"),
        ({"model": "\ud800"}, "model", "must be text that UTF-8 can express, without lone surrogates"),
        ({"model": [["x"]]}, "model", "must be text, not a list"),
        ({"endpoint": "chats"}, "endpoint", 'must be "chat" or "completions", not "chats"; did you mean "chat"?'),
        ({"format": "JSON"}, "format", 'must be "json", not "JSON"; did you mean "json"?'),
        ({"baseURL": "ftp://host/v1"}, "baseURL", 'must begin with "http://" or "https://"'),
        ({"base_url": "localhost:5001"}, "base_url", 'must begin with "http://" or "https://"'),
        ({"baseUrl": "http://"}, "baseUrl", "names no host"),
        ({"fallbackProfiles": "b"}, "fallbackProfiles", 'must be a list, not "b"'),
        ({"fallbackProfiles": ["b"]}, "fallbackProfiles[0]", 'there is no profile "b"; profiles: "a"'),
        (
            {"fallbackProfiles": ["a"]},
            "fallbackProfiles[0]",
            'the profile "a" falls back to itself; name another one or leave it out',
        ),
        ({"headers": {"a b": "c"}}, "headers.a b", "is no name of an HTTP header"),
        (
            {"template": "../x"},
            "template",
            "is neither the name of a format nor the path of a template file, such as ../formats/mine.jinja",
        ),
        ({"name": "b"}, "name", "unknown key"),
        ({"stream": 1}, "stream", "must be true or false, not 1"),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_named_with_path_and_expectation(
    settings: dict[str, Any], path: str, message: str
) -> None:
    found = faults(settings)
    assert list(found) == [path]
    assert found[path].startswith(message)


@pytest.mark.parametrize("data", [{}, {"profiles": {}}, {"profiles": None}, {"profiles": []}, [], None, "text"])
def test_a_configuration_without_profiles_is_an_error(data: object) -> None:
    assert len(all_faults(data)) == 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J"])
def test_a_profiles_name_can_be_shown(name: str) -> None:
    assert "must be text of at least one visible character" in next(iter(faults({}, name).values()))


def test_a_key_with_a_dot_stands_in_quotes_in_a_path() -> None:
    assert list(faults({"modle": "x"}, "gpt-3.5")) == ['profiles."gpt-3.5".modle']


def test_a_value_is_shown_with_at_most_60_characters() -> None:
    message = faults({"endpoint": "x" * 10_000})["endpoint"]
    assert message == f'must be "chat" or "completions", not "{"x" * 56}...'


def test_keys_may_be_written_in_every_spelling() -> None:
    for key in ("max_tokens", "maxTokens", "max_completion_tokens", "maxCompletionTokens"):
        assert with_overrides(Sampler(), {key: 7}).max_tokens == 7
    for key in ("baseURL", "baseUrl", "base_url"):
        assert parse_config({"profiles": {"a": {key: "http://h/v1"}}}).profile().base_url == "http://h/v1"


@given(st.sampled_from([name for name in spellings(ProfileTable) if name not in {"template", "model", "type"}]))
def test_two_spellings_of_one_key_are_an_error_that_names_both(key: str) -> None:
    others = [
        each for each, field in spellings(ProfileTable).items() if field == spellings(ProfileTable)[key] and each != key
    ]
    for other in others:
        found = faults({key: [{}], other: [{}]})
        assert found[other] == f"is the same key as {key}; keep one of them"


def test_names_headers_logit_bias_and_extra_keep_their_keys() -> None:
    settings = {
        "headers": {"X-Max_Tokens": "1"},
        "sampler": {"logitBias": {"topP": 1}, "extra": {"max_tokens": 1, "maxTokens": 2, "deep": {"aB": [None]}}},
    }
    profile = parse_config({"profiles": {"max_tokens": settings, "maxTokens": {}}}).profile()
    assert list(profile.headers) == ["X-Max_Tokens"]
    assert profile.sampler.logit_bias == {"topP": 1}
    assert profile.sampler.extra == {"max_tokens": 1, "maxTokens": 2, "deep": {"aB": [None]}}


def test_values_without_end_are_refused() -> None:
    endless: dict[str, object] = {}
    endless["more"] = endless
    assert "is nested too deeply" in next(iter(faults({"sampler": {"extra": endless}}).values()))


def test_what_was_read_is_not_tied_to_what_was_given() -> None:
    extra = {"list": [1]}
    config = parse_config({"profiles": {"a": {"sampler": {"extra": extra}}}})
    extra["list"].append(2)
    assert config.profile().sampler.extra == {"list": [1]}


def test_profiles_may_back_each_other_up_and_lists_are_not_followed() -> None:
    config = parse_config(
        {"profiles": {"a": {"fallbackProfiles": ["b", "b"]}, "b": {"fallbackProfiles": ["a", "c"]}, "c": {}}}
    )
    assert [profile.name for profile in config.chain("a")] == ["a", "b"]
    assert [profile.name for profile in config.chain("b")] == ["b", "a", "c"]


def test_an_unknown_profile_is_an_error_with_the_nearest_name() -> None:
    config = parse_config({"profiles": {"kobold": {}}})
    with pytest.raises(ConfigError, match='there is no profile "kobld"; did you mean "kobold"'):
        config.profile("kobld")


def test_a_link_out_of_the_templates_folder_is_no_format(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "outside.jinja").write_text("{{ user_message }}")
    (tmp_path / "templates" / "mine.jinja").symlink_to(tmp_path / "outside.jinja")
    (tmp_path / "templates" / "inside.jinja").write_text("{{ user_message }}")
    (tmp_path / "templates" / "alias.jinja").symlink_to("inside.jinja")
    file = tmp_path / "c.json"
    file.write_text(
        '{"profiles": {"a": {"template": "mine"}, "b": {"template": "inside"}, "c": {"template": "alias"}}}'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert [fault.path for fault in caught.value.faults] == ["profiles.a.template"]


def test_the_templates_folder_beside_the_file_is_used_if_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(SAMPLE)
    config = load_config(tmp_path / "c.json")
    assert not config.template_folders
    (tmp_path / "templates").mkdir()
    assert config.template_folders == (tmp_path / "templates",)


# --- overrides of one call ---


def test_overrides_take_the_keys_of_a_file_and_keep_the_rest() -> None:
    sampler = Sampler(temperature=1, top_p=0.5, stop=("x",))
    found = with_overrides(sampler, {"temperature": 0, "maxCompletionTokens": 50, "topP": None, "n": 1})
    assert found == Sampler(temperature=0, max_tokens=50, stop=("x",))
    assert with_overrides(sampler, {}) is sampler


@pytest.mark.parametrize(
    ("overrides", "path", "message"),
    [
        ({"tempature": 1}, "sampler.tempature", 'unknown key; did you mean "temperature"?'),
        ({"topP": 3}, "sampler.topP", "must be between 0 and 1, not 3"),
        ({"topP": 1, "top_p": 1}, "sampler.top_p", "is the same key as topP; keep one of them"),
        ({"force_json": True}, "sampler", "has no forceJson in a call"),
    ],
)
def test_overrides_are_checked_as_a_file_is(overrides: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_overrides(Sampler(), overrides)
    (fault,) = caught.value.faults
    assert fault.path == path
    assert fault.message.startswith(message)


def test_overrides_are_texts_of_the_program_and_read_no_environment() -> None:
    assert with_overrides(Sampler(), {"stop": ["${HOME}"]}).stop == ("${HOME}",)


# --- size and speed ---


def ten_thousand(**last: object) -> dict[str, object]:
    profiles: dict[str, object] = {f"p{i}": {"baseURL": "http://host:1/v1", "model": "m"} for i in range(10_000)}
    profiles["p9999"] = last or profiles["p9999"]
    return {"profiles": profiles}


def test_ten_thousand_profiles_load_within_64_mb(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(ten_thousand(), separators=(",", ":")))
    begin = time.process_time()
    load_config(tmp_path / "c.json")
    assert time.process_time() - begin < 2  # half a second on a quiet machine
    tracemalloc.start()
    load_config(tmp_path / "c.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


def test_a_fault_in_one_of_ten_thousand_profiles_names_that_one() -> None:
    assert list(all_faults(ten_thousand(modle="m"))) == ["profiles.p9999.modle"]


def test_ten_thousand_faults_are_all_reported_without_delay() -> None:
    broken = {"profiles": {f"p{i}": {f"x{i}": 1, "fallbackProfiles": [f"q{i}"]} for i in range(10_000)}}
    begin = time.process_time()
    assert len(all_faults(broken)) == 20_000
    assert time.process_time() - begin < 4  # a search for near names in all of them takes minutes


def test_importing_the_configuration_does_not_load_cattrs() -> None:
    code = (
        "import sys, roleforge_llm.config as c; c.plugin_settings(None); c.find_config();"
        "sys.exit('cattrs' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=DATA).returncode == 0


def test_no_field_of_a_profile_is_out_of_reach() -> None:
    written = set(spellings(ProfileTable).values())
    assert written >= {field.name for field in attrs.fields(ProfileTable)} - {"name"}
