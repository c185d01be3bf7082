"""Where configuration is looked for, and the plugins table that works whatever is broken."""

from pathlib import Path
from typing import Any

import pytest

from roleforge_llm import ConfigError
from roleforge_llm.config import PluginSettings, default_config_path, find_config, plugin_settings


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    found = {
        "argument": tmp_path / "argument.json",
        "variable": tmp_path / "variable.toml",
        "here": tmp_path / "cwd" / "roleforge-llm.json",
        "user": tmp_path / "xdg" / "roleforge-llm" / "roleforge-llm.toml",
    }
    for path in found.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return found


def test_the_order_is_argument_variable_current_folder_users_directory(places: dict[str, Path], tmp_path: Path) -> None:
    environ = {"ROLEFORGE_LLM_CONFIG": str(places["variable"]), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert find_config(places["argument"], environ=environ, cwd=tmp_path / "cwd") == places["argument"]
    assert find_config(environ=environ, cwd=tmp_path / "cwd") == places["variable"]
    environ["ROLEFORGE_LLM_CONFIG"] = ""
    assert find_config(environ=environ, cwd=tmp_path / "cwd") == places["here"]
    places["here"].unlink()
    assert find_config(environ=environ, cwd=tmp_path / "cwd") == places["user"]
    places["user"].unlink()
    assert find_config(environ=environ, cwd=tmp_path / "cwd") is None


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: there is no such file$"):
        find_config(tmp_path / "gone.toml", environ={})
    with pytest.raises(ConfigError, match=r"gone\.toml: there is no such file \(ROLEFORGE_LLM_CONFIG names it\)"):
        find_config(environ={"ROLEFORGE_LLM_CONFIG": str(tmp_path / "gone.toml")}, cwd=tmp_path)


def test_two_files_in_one_place_are_an_error_that_names_both(places: dict[str, Path], tmp_path: Path) -> None:
    both = places["here"].with_suffix(".toml")
    both.write_text("")
    with pytest.raises(ConfigError) as caught:
        find_config(environ={}, cwd=tmp_path / "cwd")
    assert str(places["here"]) in str(caught.value)
    assert str(both) in str(caught.value)


def test_the_users_directory_is_xdgs_if_absolute_else_dot_config() -> None:
    assert default_config_path({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == Path("/x/roleforge-llm/roleforge-llm.toml")
    assert default_config_path({"XDG_CONFIG_HOME": "x", "HOME": "/h"}) == Path(
        "/h/.config/roleforge-llm/roleforge-llm.toml"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[plugins]\ndisable = ["a"]\noverride = ["b"]\n[profiles.x]\nbroken = 1\n', PluginSettings(("a",), ("b",))),
        ('[plugins]\ndisable = "a"\noverride = [1, "b"]\n', PluginSettings((), ("b",))),
        ("plugins = 3\n", PluginSettings()),
        ("plugins =\n", PluginSettings()),
    ],
)
def test_the_plugins_table_is_read_whatever_else_is_broken(tmp_path: Path, content: str, expected: Any) -> None:
    (tmp_path / "c.toml").write_text(content)
    assert plugin_settings(tmp_path / "c.toml") == expected


def test_without_a_readable_file_no_plugin_is_named(tmp_path: Path) -> None:
    assert plugin_settings(None) == plugin_settings(tmp_path / "gone.toml") == PluginSettings()
