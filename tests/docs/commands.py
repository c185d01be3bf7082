"""The commands of console blocks: which are run, and how a distribution of the page is installed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

__all__ = ["check_programs", "commands", "install", "without_what_runs_elsewhere"]

RUN_ELSEWHERE = {
    "pip install . ./plugins/roleforge-llm-llamacpp",
    "pip install ./plugins/roleforge-llm-llamacpp",
    "pip install -r tests/requirements.txt",
    "pip install -r tests/requirements.txt -e .[dev]",
    "pytest -n 2",
    "pip install -e .[docs]",
    "sphinx-build -W --keep-going -n -c docs . site",
    "python -m tests.docs.offline site",
    ".ci/run",
}
"""Commands that a page may show without running them: .ci/run runs them, and itself."""

_PROGRAMS = {"roleforge-llm", "echo", "cat", "ls", "printf"}


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown for it."""
    found: list[tuple[str, str]] = []
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            found.append((line[2:].strip(), ""))
        else:
            assert found, "a console block begins with `$ `"
            command, shown = found.pop()
            found.append((command, f"{shown}{line}\n"))
    return found


def without_what_runs_elsewhere(command: str) -> str | None:
    rest = [part for part in command.split(" && ") if part not in RUN_ELSEWHERE]
    return " && ".join(rest) or None


def check_programs(command: str) -> None:
    for part in re.split(r"&&|\||;", command):
        words = [word for word in shlex.split(part) if not re.match(r"\w+=", word)]
        assert words, f"{command!r} runs nothing"
        assert words[0] in _PROGRAMS, f"{words[0]!r} is not run by pages, and RUN_ELSEWHERE does not list {command!r}"


def install(source: Path, folder: Path) -> None:
    """Build the distribution at *source* and unpack its wheel to where commands find it."""
    assert (source / "pyproject.toml").is_file(), f"the page has no {source.name}/pyproject.toml"
    wheels = folder / "wheels"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(folder / "site")
