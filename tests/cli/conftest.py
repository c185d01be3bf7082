"""Running the command line in this process."""

from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from types import SimpleNamespace

import pytest

from roleforge_llm.cli import main


class Result(SimpleNamespace):
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


class _Terminal(BytesIO):
    """Bytes that somebody types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs ``roleforge-llm`` with these arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ROLEFORGE_LLM_CONFIG", raising=False)

    def running(*arguments: str, stdin: str | bytes = "", terminal: bool = False) -> Result:
        content = stdin if isinstance(stdin, bytes) else stdin.encode()
        source = _Terminal(content) if terminal else BytesIO(content)
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(source, "utf-8"))
        capsys.readouterr()
        code = 0
        try:
            main(list(arguments))
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return Result(code=code or 0, out=captured.out, err=captured.err)

    return running


@pytest.fixture
def config(tmp_path):
    """Writes ``roleforge-llm.json`` with these profiles into the folder."""

    def writing(profiles, **more) -> None:
        path = tmp_path / "roleforge-llm.json"
        path.write_text(json.dumps({"profiles": profiles, **more}), encoding="utf-8")
        path.chmod(0o600)

    return writing
