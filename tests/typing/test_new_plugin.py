"""What ``new-plugin`` writes is clean for mypy --strict and for ruff as it comes, whatever the plugin is called."""

import subprocess
import sys

import pytest

from roleforge_llm.cli.scaffold import KINDS, plugin_files, plugin_name
from tests.typing.test_typing import checker_or_skip

SHORTEST, LONGEST = "x", "a-name-of-all-the-forty-letters-it-has-x"


def check(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def test_mypy_strict_accepts_every_kind(tmp_path):
    """All kinds at once, for which their tests need names of their own."""
    command = checker_or_skip("mypy")
    for kind in KINDS:
        files = plugin_files(kind, plugin_name(f"my-{kind}"))
        write(tmp_path, {path.replace("test_plugin", f"test_{kind}"): text for path, text in files.items()})
    options = ["--strict", "--config-file=", "--python-executable", sys.executable, "--cache-dir", tmp_path / "cache"]
    check(command, *options, ".", cwd=tmp_path)


@pytest.mark.parametrize("name", [SHORTEST, LONGEST], ids=len)
@pytest.mark.parametrize("kind", KINDS)
def test_ruff_finds_nothing_to_change(tmp_path, kind, name):
    """Lines grow with the name: what is right for the shortest and the longest is right for all between."""
    command = checker_or_skip("ruff")
    write(tmp_path, plugin_files(kind, plugin_name(name)))
    check(command, "check", "--isolated", "--no-cache", ".", cwd=tmp_path)
    check(command, "format", "--isolated", "--no-cache", "--check", "--diff", ".", cwd=tmp_path)
