"""Environment references, secrets, and who may read the file."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from roleforge_llm import Config, ConfigError, Profile, Secret
from roleforge_llm.config import load_config, parse_config
from roleforge_llm.config.access import file_warnings

CANARY = "sk-canary-0123456789"


def one(settings: object, **environ: str) -> Config:
    return parse_config({"profiles": {"a": settings}}, environ=environ)


def test_references_expand_in_every_text_in_a_single_pass() -> None:
    settings = {
        "model": "${NAME}-$$x-${GONE:-default}",
        "sampler": {"stop": ["${NAME}"], "extra": {"deep": [{"x": "${NAME}"}]}},
        "baseURL": "http://host:${PORT:-5001}/v1",
    }
    profile = one(settings, NAME="${PORT}").profile()
    assert profile.model == "${PORT}-$x-default"
    assert profile.base_url == "http://host:5001/v1"
    assert profile.sampler.stop == ("${PORT}",)
    assert profile.sampler.extra == {"deep": [{"x": "${PORT}"}]}
    assert type(profile.model) is type(profile.sampler.stop[0]) is str


def test_values_of_the_environment_are_never_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        one({"endpoint": "${EP}", "baseURL": "${EP}", "timeouts": {"idle": "${EP}"}}, EP=CANARY)
    assert CANARY not in str(caught.value)
    assert 'not "${EP}"' in str(caught.value)
    assert len(caught.value.faults) == 3


def test_an_unset_variable_is_a_fault_of_its_own_profile_alone() -> None:
    config = parse_config(
        {
            "profiles": {
                "a": {},
                "b": {"baseURL": "${URL}", "apiKey": "${KEY}", "api_key_env": "OTHER", "headers": {"X": "${H}"}},
            }
        },
        environ={},
    )
    assert list(config.faults) == ["b"]
    paths = [fault.path for fault in config.faults["b"]]
    assert paths == ["profiles.b.baseURL", "profiles.b.apiKey", "profiles.b.api_key_env", "profiles.b.headers.X"]
    assert "the environment variable URL is not set" in str(config.faults["b"][0])


def test_an_unset_variable_outside_profiles_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"defaultProfile: the environment variable NOPE is not set"):
        parse_config({"profiles": {"a": {}}, "defaultProfile": "${NOPE}"}, environ={})


@pytest.mark.parametrize("bad", ["${BAD", "a${", "${1}", "${A:x}", "$$${", "${}"])
def test_a_reference_that_is_none_is_a_fault_at_its_path_which_does_not_show_it(bad: str) -> None:
    settings = {"apiKey": CANARY + bad, "headers": {"X": CANARY + bad}, "model": bad, "sampler": {"stop": ["ok", bad]}}
    with pytest.raises(ConfigError) as caught:
        one(settings)
    paths = [fault.path for fault in caught.value.faults]
    assert paths == ["profiles.a.apiKey", "profiles.a.headers.X", "profiles.a.model", "profiles.a.sampler.stop[1]"]
    assert {fault.message.partition(";")[0] for fault in caught.value.faults} == {"has a ${ that begins no reference"}
    assert CANARY not in str(caught.value)


def test_two_dollars_before_a_brace_are_a_dollar() -> None:
    assert one({"model": "$${BAD", "apiKey": "$${K"}).profile().model == "${BAD"


def test_an_unset_variable_of_api_key_env_is_to_be_set() -> None:
    (fault,) = one({"apiKeyEnv": "NOPE_X"}).faults["a"]
    assert str(fault) == "profiles.a.apiKeyEnv: the environment variable NOPE_X is not set; set it"


def test_a_base_url_with_a_requests_path_is_a_warning() -> None:
    (warning,) = one({"baseURL": "http://host/v1/chat/completions"}).warnings
    assert warning.startswith("profiles.a.base_url: ends in /chat/completions")


@pytest.mark.parametrize(
    ("profiles", "default", "path"),
    [
        ({"a": Profile("a")}, "b", "default_profile"),
        ({}, "b", "default_profile"),
        ({"a": Profile("b")}, "a", "profiles.a"),
        ({"a": {"model": "m"}}, "a", "profiles.a"),
    ],
)
def test_a_configuration_made_in_code_must_hold_together(profiles: Any, default: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(profiles, default_profile=default)
    assert [fault.path for fault in caught.value.faults] == [path]


def test_keys_and_headers_stay_references() -> None:
    profile = one({"apiKey": "${KEY}", "headers": {"Authorization": "Bearer ${KEY}"}}, KEY=CANARY).profile()
    assert profile.api_key == Secret("${KEY}")
    assert profile.key({"KEY": CANARY}) == CANARY
    assert profile.headers["Authorization"].reveal({"KEY": CANARY}) == f"Bearer {CANARY}"
    assert CANARY not in repr(profile)


@pytest.mark.parametrize(
    "bad", [f"{CANARY}\n", f"{CANARY}\r\nHost: x", f"{CANARY}\x7f", f" {CANARY}", f"{CANARY}\u2026"]
)
def test_a_key_that_no_header_can_hold_is_a_fault_that_does_not_show_it(bad: str) -> None:
    for settings in ({"apiKey": bad}, {"headers": {"X-Key": bad}}):
        with pytest.raises(ConfigError, match="the value is not shown") as caught:
            one(settings)
        assert CANARY not in str(caught.value)
    for reference in ({"apiKey": "${K}"}, {"apiKeyEnv": "K"}, {"headers": {"X-Key": "${K}"}}):
        (fault,) = one(reference, K=bad).faults["a"]
        assert "the value is not shown" in fault.message
        assert CANARY not in fault.message


@pytest.mark.parametrize(
    "settings",
    [
        {"apiKey": [CANARY]},
        {"apiKey": {"x": CANARY}},
        {"headers": CANARY},
        {"headers": {"X": [CANARY]}},
        {"apiKeyEnv": CANARY},
        {"baseURL": f"http://user:{CANARY}@host/v1"},
        {"baseURL": f"http://host/{CANARY} /v1"},
        {"apikey": CANARY},
    ],
)
def test_no_fault_shows_a_secret(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        one(settings)
    assert CANARY not in str(caught.value) + repr(caught.value)


def test_a_pickled_configuration_carries_references_only() -> None:
    config = one({"apiKey": "${KEY}", "headers": {"Authorization": "Bearer ${KEY}"}, "model": "m"}, KEY=CANARY)
    data = pickle.dumps(config)
    assert CANARY.encode() not in data
    assert pickle.loads(data) == config


@pytest.mark.parametrize("settings", [{"apiKey": CANARY}, {"apiKey": f"${{K:-{CANARY}}}"}, {"headers": {"X": CANARY}}])
def test_a_literal_key_refuses_to_pickle(settings: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="literal key") as caught:
        pickle.dumps(one(settings))
    assert CANARY not in str(caught.value)


# --- the file itself ---


def saved(folder: Path, mode: int, key: str = CANARY) -> Path:
    file = folder / "c.json"
    file.write_text(f'{{"profiles": {{"a": {{"apiKey": "{key}"}}}}}}')
    file.chmod(mode)
    return file


def test_a_key_in_a_file_that_others_can_read_is_a_warning(tmp_path: Path) -> None:
    (warning,) = load_config(saved(tmp_path, 0o644)).warnings
    assert warning.startswith(f"{tmp_path / 'c.json'}: other users can read the file (mode 0644)")
    assert CANARY not in warning
    assert load_config(saved(tmp_path, 0o600)).warnings == ()
    assert load_config(saved(tmp_path, 0o644, key="${KEY}"), environ={}).warnings == ()


def test_a_links_target_is_what_counts(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(saved(tmp_path, 0o640))
    assert "mode 0640" in load_config(link).warnings[0]
    saved(tmp_path, 0o600)
    assert load_config(link).warnings == ()


def test_a_file_of_another_user_is_loaded_with_a_warning_that_names_file_and_owner(tmp_path: Path) -> None:
    file = saved(tmp_path, 0o600)
    (warning,) = file_warnings(file, file.stat(), [Profile("a")], user=os.getuid() + 1)
    assert str(file) in warning
    assert "the file belongs to the user" in warning
