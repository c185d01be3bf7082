"""``config``, ``init`` and ``plugins``."""

from __future__ import annotations

import json
import stat

import pytest

from roleforge_llm.backends import DiscoveredServer
from roleforge_llm.cli.first_file import first_file, write_first
from roleforge_llm.config import load_config
from roleforge_llm.errors import ConfigError


def test_config_path_prints_the_file_that_is_used(run, config, tmp_path):
    assert run("config", "path").code == 2
    config({"a": {"baseURL": "http://localhost:1/v1"}})
    assert run("config", "path").out.strip().endswith("roleforge-llm.json")


def test_config_check_reports_everything_at_once(run, config):
    config(
        {
            "a": {"baseURL": "http://localhost:1/v1", "template": "chatmll", "backend": "opnai-compatible"},
            "b": {"baseURL": "http://localhost:1/v1", "apiKey": "${NOT_SET_ANYWHERE}"},
            "c": {"failurePolicy": "backof-then-fallback"},
        }
    )
    found = run("config", "check")
    assert (found.code, found.out) == (2, "")
    for part in (
        "profiles.a.backend: no plugin offers the backend 'opnai-compatible'; did you mean openai-compatible?",
        "profiles.a.template: no prompt format is called 'chatmll'; did you mean 'chatml'",
        "NOT_SET_ANYWHERE",
        "profiles.c.failurePolicy: no plugin offers the failure policy",
        "profiles.c.baseURL: the backend openai-compatible needs the URL of a server",
    ):
        assert part in found.err


def test_config_check_is_content_with_a_good_file(run, config):
    config({"a": {"baseURL": "http://localhost:1/v1"}})
    found = run("config", "check")
    assert (found.code, found.err) == (0, "")
    assert "ok, 1 profile(s), default a" in found.out


def test_config_show_masks_secrets(run, config):
    config({"a": {"baseURL": "http://localhost:1/v1", "apiKey": "sk-secret", "headers": {"X-Key": "sk-other"}}})
    shown = run("config", "show", "--json")
    assert shown.json["profiles"]["a"]["api_key"] == "***"
    assert "sk-" not in shown.out + run("config", "show").out


@pytest.mark.parametrize("option_first", [True, False])
def test_config_option_names_the_file_before_or_after_the_command(run, tmp_path, option_first):
    path = tmp_path / "other.toml"
    path.write_text('[profiles.x]\nbase_url = "http://localhost:1/v1"\n')
    option = ("--config", str(path))
    arguments = (*option, "plan", "--json") if option_first else ("plan", "--json", *option)
    assert run(*arguments).json["steps"][0]["profile"] == "x"


def test_init_writes_a_file_that_loads_and_only_its_owner_reads(run, tmp_path):
    found = run("init", "--config", str(tmp_path / "new" / "roleforge-llm.toml"))
    assert found.code == 0
    path = tmp_path / "new" / "roleforge-llm.toml"
    assert load_config(path).profiles
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["new.toml", "new.json"])
def test_init_writes_the_language_of_the_files_ending_and_says_nothing_wrong(run, tmp_path, name):
    found = run("init", "--config", name)
    assert (found.code, found.out) == (0, f"{name}\n")
    assert load_config(tmp_path / name).profiles
    assert "warning" not in found.err
    assert ("next: " in found.err) == ("found none" not in found.err)
    if name.endswith(".json"):
        assert json.loads((tmp_path / name).read_text())["profiles"]


def test_init_refuses_another_ending_before_it_writes(run, tmp_path):
    found = run("init", "--config", "new.yaml")
    assert (found.code, list(tmp_path.iterdir())) == (2, [])
    assert "must end in .toml or .json" in found.err


def test_a_first_file_that_does_not_load_is_not_left_behind(tmp_path):
    """Nor does it replace the file that was there."""
    target = tmp_path / "mine.toml"
    target.write_text("# mine")
    with pytest.raises(ConfigError, match=r"mine.toml: .*modle") as caught:
        write_first(target, first_file([DiscoveredServer("a", "", {"modle": "x"})]))
    assert caught.value.source == str(target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mine.toml", "# mine")]


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_what_a_server_says_of_itself_is_written_as_data(tmp_path, suffix):
    """A discovered model name cannot read the environment, close a string or begin a table."""
    settings = {"base_url": "http://localhost:1/v1", "model": '${HOME} "x"\n[profiles.y]', "sampler": {"stop": ["$"]}}
    path = tmp_path / f"first{suffix}"
    path.write_text(first_file([DiscoveredServer("a b", "", settings)] * 2, suffix))
    config = load_config(path)
    assert list(config.profiles) == ["a b", "a b-2"]
    assert config.profile(None).model == settings["model"]
    assert config.profile(None).sampler.stop == ("$",)
    assert config.profile(None).fallback_profiles == ("a b-2",)


def test_init_never_replaces_a_file_unasked(run, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("# mine")
    found = run("init", "--config", str(path))
    assert (found.code, path.read_text()) == (2, "# mine")
    assert "--force" in found.err
    assert run("init", "--force", "--config", str(path)).code == 0


def test_plugins_works_whatever_is_broken(run, tmp_path):
    (tmp_path / "roleforge-llm.toml").write_text("this is [not toml")
    found = run("plugins", "--json")
    assert found.code == 0
    builtin = next(row for row in found.json if row["name"] == "builtin")
    assert set(builtin) == {"name", "distribution", "version", "status", "provides", "error"}
    assert (builtin["status"], builtin["distribution"], builtin["error"]) == ("loaded", "roleforge-llm", None)
    assert "format chatml" in builtin["provides"]


def test_a_plugin_disabled_by_configuration_is_listed_so(run, tmp_path):
    (tmp_path / "roleforge-llm.json").write_text(json.dumps({"plugins": {"disable": ["builtin"]}, "profiles": {}}))
    rows = {row["name"]: row for row in run("plugins", "--json").json}
    assert rows["builtin"]["status"] == "disabled"


def test_check_warns_of_a_name_to_override_that_nobody_offers(run, config, caplog):
    profile = {"baseURL": "http://localhost:1/v1", "template": "chatml"}
    config({"a": profile}, plugins={"override": ["chatlm"]})
    assert run("config", "check").code == 0
    assert "[plugins] override names 'chatlm'" in caplog.text


def test_bad_usage_is_code_2_with_the_usage(run):
    found = run("frobnicate")
    assert (found.code, "No such command 'frobnicate'" in found.err) == (2, True)
    assert run("render", "--user", "x").code == 2


def test_help_teaches(run):
    found = run("--help")
    assert found.code == 0
    for command in ("formats", "render", "chat", "explain", "plan", "plugins", "config", "init"):
        assert command in found.out
    assert '\n    roleforge-llm chat "Hello"  ' in found.out
    assert "\\b" not in found.out


@pytest.mark.parametrize("group", [(), ("config",)])
def test_no_summary_in_the_help_is_cut_off(run, group):
    assert "..." not in run(*group, "--help").out.partition("Commands:")[2]


def test_debug_shows_the_traceback(run):
    with pytest.raises(Exception, match="no configuration found"):
        run("chat", "Hi", "--debug")
