"""``new-plugin`` writes a whole plugin or nothing, and says in one line what it will not write."""

import os
import stat
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from roleforge_llm import __version__
from roleforge_llm.cli.scaffold import KINDS, plugin_files, plugin_name, write_plugin
from roleforge_llm.errors import ConfigError
from roleforge_llm.hookspecs import API_VERSION, OWN_COMMANDS

SPECIAL = {
    "format": "roleforge_llm_acme/acme.jinja",
    "backend": "roleforge_llm_acme/backend.py",
    "policy": "roleforge_llm_acme/__init__.py",
    "command": "roleforge_llm_acme/command.py",
}
EVERY = {
    ".gitignore",
    "README.md",
    "pyproject.toml",
    "roleforge_llm_acme/__init__.py",
    "roleforge_llm_acme/py.typed",
    "tests/test_plugin.py",
}


def refused(result):
    """The one line of a refusal."""
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    return line


@pytest.fixture
def here(tmp_path):
    """What is in the folder in which commands run."""
    return lambda: sorted(path.name for path in tmp_path.iterdir())


# ---------------------------------------------------------------------- what is written


@pytest.mark.parametrize("kind", KINDS)
def test_all_files_of_a_kind_are_written_and_listed(run, tmp_path, kind):
    made = run("new-plugin", "acme", "--kind", kind, "--json").json
    folder = tmp_path / "roleforge-llm-acme"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert made == {"name": "acme", "directory": str(folder), "files": sorted(files)}
    assert files == EVERY | {SPECIAL[kind]}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_to_fill_in(kind):
    for path, text in plugin_files(kind, plugin_name("acme")).items():
        assert "$" not in text, path
        assert not text or text.endswith("\n"), path
        assert path == "README.md" or all(len(line) <= 120 for line in text.splitlines()), path


@pytest.mark.parametrize("kind", KINDS)
def test_the_project_admits_this_host_and_names_the_plugin(kind):
    files = plugin_files(kind, plugin_name("my-acme"))
    project = tomllib.loads(files["pyproject.toml"])["project"]
    (host,) = map(Requirement, project["dependencies"])
    assert host.name == "roleforge-llm"
    assert host.specifier.contains(__version__, prereleases=True)
    assert project["name"] == "roleforge-llm-my-acme"
    assert project["entry-points"] == {"roleforge_llm": {"my-acme": "roleforge_llm_my_acme"}}
    (line,) = [
        each for each in files["roleforge_llm_my_acme/__init__.py"].splitlines() if "ROLEFORGE_LLM_API =" in each
    ]
    assert SpecifierSet(line.partition('"')[2].rstrip('"')).contains(API_VERSION)


def test_the_files_and_the_next_commands_are_shown(run, tmp_path):
    result = run("new-plugin", "acme", "--kind", "format", "--directory", "with space")
    folder = tmp_path / "with space"
    files, _, then = result.out.partition("\nnext:\n")
    assert {Path(line) for line in files.splitlines()} == {path for path in folder.rglob("*") if path.is_file()}
    assert then.splitlines() == [
        f"  cd '{folder}' && pip install -e \".[test]\"",
        "  pytest",
        '  roleforge-llm render --format acme --user "Hello!"',
    ]


def test_help_teaches_the_kinds_and_shows_an_example(run):
    text = run("new-plugin", "--help").out
    assert all(kind in text for kind in KINDS)
    assert "roleforge-llm new-plugin acme --kind format\n" in text


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name",
    [
        "my-acme",
        "my_acme",
        "my.acme",
        "My--Acme",
        "roleforge-llm-my-acme",
        "roleforge_llm_my_acme",
        "RoleForge-LLM-My_Acme",
    ],
)
def test_every_spelling_of_a_name_gives_the_same_plugin(name):
    assert plugin_name(name) == ("my-acme", "roleforge-llm-my-acme", "roleforge_llm_my_acme")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "it is empty"),
        ("roleforge-llm", "it is empty"),
        ("roleforge-llm-", "it is empty"),
        ("my acme", "it holds ' '"),
        ("a/b", "it holds '/'"),
        ("a\\b", "it holds '\\\\'"),
        ("a\nb", "it holds '\\n'"),
        ("$(acme)", "it holds '$'"),
        ("../acme", "it holds '/'"),
        ("..", "begins with a letter"),
        ("-.acme", "begins with a letter"),
        ("acme-", "ends with a letter or digit"),
        ("9lives", "begins with a letter"),
        ("roleforge-llm-9lives", "begins with a letter"),
        ("a" * 41, "more than 40 characters"),
        ("class", "Python's own"),
        ("json", "Python's own"),
        ("JSON", "Python's own"),
        ("аcme", "'\\u0430' (CYRILLIC SMALL LETTER A)"),
        ("\u212aelvin", "'\\u212a' (KELVIN SIGN)"),
        ("ａcme", "'\\uff41' (FULLWIDTH LATIN SMALL LETTER A)"),
        ("ac\u200bme", "'\\u200b' (ZERO WIDTH SPACE)"),
    ],
)
def test_what_cannot_name_a_plugin_is_refused_with_the_reason(run, here, name, why):
    line = refused(run("new-plugin", "--kind", "format", "--", name))
    assert line.startswith(f"error: {name!a} cannot name a plugin: ")
    assert why in line
    assert here() == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("format", "chatml"),
        ("format", "server"),
        ("backend", "openai-compatible"),
        ("policy", "backoff-then-fallback"),
        ("command", "chat"),
    ],
)
def test_a_name_that_is_taken_is_refused_with_its_owner(run, here, kind, name):
    line = refused(run("new-plugin", name, "--kind", kind))
    assert f"{name!r} is offered by roleforge-llm already" in line
    assert here() == []


@pytest.mark.parametrize("name", sorted(OWN_COMMANDS))
def test_no_command_of_the_host_is_replaced(run, name):
    refused(run("new-plugin", name, "--kind", "command"))


def test_a_name_is_taken_only_within_its_kind(run):
    assert run("new-plugin", "chatml", "--kind", "backend").code == 0


def test_a_package_that_is_installed_is_not_made_again(run, here):
    assert "roleforge_llm_builtin is installed already" in refused(run("new-plugin", "builtin", "--kind", "format"))
    assert here() == []


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_without_a_kind_the_kinds_are_told(run, here, arguments):
    line = refused(run("new-plugin", "acme", *arguments))
    assert all(f"{key} ({kind.purpose})" in line for key, kind in KINDS.items())
    assert here() == []


def test_a_kind_that_is_none_is_refused(run, here):
    result = run("new-plugin", "acme", "--kind", "plugin")
    assert (result.code, result.out, here()) == (2, "", [])
    assert all(kind in result.err for kind in KINDS)


# ---------------------------------------------------------------------- folders


def test_nothing_is_ever_overwritten(run, here, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    for folder in ("mine", "file", "dangling", "."):
        assert "is there already" in refused(run("new-plugin", "acme", "--kind", "format", "--directory", folder))
    assert here() == ["dangling", "file", "mine"]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]
    assert {(tmp_path / "mine" / "README.md").read_text(), (tmp_path / "file").read_text()} == {"mine"}


def test_an_empty_folder_is_filled_and_stays_the_same_folder(run, here, tmp_path, monkeypatch):
    """Somebody's shell may be in it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    before = folder.stat().st_ino
    monkeypatch.chdir(folder)
    assert run("new-plugin", "acme", "--kind", "format", "--directory", ".").code == 0
    assert folder.stat().st_ino == before
    assert (folder / "roleforge_llm_acme" / "acme.jinja").is_file()
    assert here() == ["empty"]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_an_empty_folder_on_another_disk_is_filled(run, here, tmp_path):
    """Nothing can be moved there from beside it."""
    with TemporaryDirectory(dir="/dev/shm") as other:
        (tmp_path / "disk").symlink_to(other)
        assert run("new-plugin", "acme", "--kind", "format", "--directory", "disk").code == 0
        assert (Path(other) / "roleforge_llm_acme" / "acme.jinja").is_file()
    assert here() == ["disk"]


def test_a_folder_is_made_only_in_one_that_is_there(run, here, tmp_path):
    line = refused(run("new-plugin", "acme", "--kind", "format", "--directory", "a/b"))
    assert f"no folder {tmp_path / 'a'}" in line
    assert here() == []


def test_an_empty_name_of_a_folder_is_refused(run, here):
    """As an unset variable gives it."""
    assert "--directory is empty" in refused(run("new-plugin", "acme", "--kind", "format", "--directory", ""))
    assert here() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(run, here, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        line = refused(run("new-plugin", "acme", "--kind", "format"))
    finally:
        tmp_path.chmod(stat.S_IRWXU)
    assert "roleforge-llm-acme: cannot be written: Permission denied" in line
    assert here() == []


def test_a_folder_that_cannot_be_made_is_named(run, here):
    line = refused(run("new-plugin", "acme", "--kind", "format", "--directory", "a" * 300))
    assert line.endswith("aaa: cannot be written: File name too long")
    assert here() == []


class Interrupting(dict):
    """Files of which the last one is interrupted by *error*."""

    def __init__(self, error):
        super().__init__({"a/b.py": "1\n", "c.py": "2\n"})
        self.error = error

    def items(self):
        yield from super().items()
        raise self.error


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "interrupt"]
)
def test_what_ends_early_leaves_nothing_behind(here, tmp_path, error, there):
    folder = tmp_path / "plugin"
    if there:
        folder.mkdir()
    with pytest.raises((ConfigError, KeyboardInterrupt)) as raised:
        write_plugin(folder, Interrupting(error))
    assert isinstance(error, KeyboardInterrupt) or "plugin: cannot be written: No space left" in str(raised.value)
    assert here() == (["plugin"] if there else [])
    assert not there or not any(folder.iterdir())


class Raced(dict):
    """Files, one of which somebody else makes in *folder* at the same time, as a folder."""

    def __init__(self, folder):
        super().__init__({"a/b.py": "1\n", "c.py": "2\n"})
        self.folder = folder

    def items(self):
        yield from super().items()
        (self.folder / "c.py").mkdir()


def test_what_cannot_be_moved_is_taken_back_and_what_is_not_ours_stays(here, tmp_path):
    folder = tmp_path / "plugin"
    folder.mkdir()
    with pytest.raises(ConfigError, match="plugin: cannot be written"):
        write_plugin(folder, Raced(folder))
    assert [path.name for path in folder.iterdir()] == ["c.py"]
    assert here() == ["plugin"]
