"""Running a page: every block of it, in order, in one directory and one namespace."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

import roleforge_llm as rf
from roleforge_llm.formats import TemplateFormat
from roleforge_llm.messages import conversation
from roleforge_llm.testing import no_waiting
from tests.docs.commands import check_programs, commands, install, without_what_runs_elsewhere
from tests.docs.markdown import Block, Directive, Page
from tests.docs.outputs import difference
from tests.docs.servers import Servers

__all__ = ["PageRun"]

_CONFIGURATION = {"toml": "roleforge-llm.toml", "json": "roleforge-llm.json"}
_REFERENCE = re.compile(r'\$\{(\w+)\}|(?:apiKeyEnv|api_key_env)"?\s*[:=]\s*"(\w+)"')
_SAMPLE = conversation(
    [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
)
_COMMAND = """\
#!{python}
from roleforge_llm.cli import main
from roleforge_llm.testing import no_waiting

with no_waiting():
    main()
"""


class PageRun:
    """One run of one page in an empty *folder*, which is the working directory."""

    def __init__(self, page: Page, folder: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self.page = page
        self.folder = folder
        self.not_run: list[Block] = []
        self._servers = Servers(stack)
        self._patch = monkeypatch
        self._namespace: dict[str, object] = {"__name__": "page"}
        self._printed = ""
        self._marks: set[str] = set()
        self._files: dict[Path, str] = {}
        self._exit_code = 0
        self._prepare()

    def _prepare(self) -> None:
        """An environment in which nothing of the machine is found: no configuration, no home."""
        for part in ("bin", "site", "home"):
            (self.folder / part).mkdir()
        command = self.folder / "bin" / "roleforge-llm"
        command.write_text(_COMMAND.format(python=sys.executable))
        command.chmod(0o755)
        work = self.folder / "work"
        work.mkdir()
        self._patch.chdir(work)
        for name, value in {
            "HOME": self.folder / "home",
            "XDG_CONFIG_HOME": self.folder / "home" / ".config",
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": f"{self.folder / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
            "PYTHONUNBUFFERED": "1",  # keeps the order between stdout and stderr
            "COLUMNS": "120",
        }.items():
            self._patch.setenv(name, str(value))
        self._patch.delenv("ROLEFORGE_LLM_CONFIG", raising=False)
        self._patch.syspath_prepend(str(work))
        self.work = work

    def run(self) -> None:
        """Run everything; an AssertionError names the page and the line."""
        for item in self.page.items:
            where = f"{self.page.name}:{item.line}"
            try:
                self._step(item)
            except AssertionError as error:
                raise AssertionError(f"{where}: {error}") from None
            except (Exception, SystemExit) as error:
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
        self._expect_nothing_printed()

    def _step(self, item: Block | Directive) -> None:
        if isinstance(item, Directive):
            self._obey(item.words)
            return
        marks, self._marks = self._marks, set()
        if "not run" in marks:
            self.not_run.append(item)
        elif item.language == "text" and item.follows:
            self._compare(item.text, self._printed)
            self._printed = ""
        else:
            self._expect_nothing_printed()
            self._run_block(item, marks)

    def _obey(self, words: str) -> None:
        match words.split():
            case ["server", url, "=", *script]:
                self._servers.start(url, script)
                self._rewrite()
            case ["refused", url]:
                self._servers.refuse(url)
                self._rewrite()
            case ["env", name, value]:
                self._patch.setenv(name, value)
            case ["not", "run:", *reason] if reason:
                self._marks.add("not run")
            case ["faulty"]:
                self._marks.add("faulty")
            case _:
                raise AssertionError(f"unknown directive {words!r}")

    def _write(self, name: str, text: str) -> Path:
        """Write a file of the page, in which its addresses lead to the real servers."""
        file = self.work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._servers.real(text), encoding="utf-8")
        file.chmod(0o600)
        self._files[file] = text
        return file

    def _rewrite(self) -> None:
        for file, text in self._files.items():
            file.write_text(self._servers.real(text), encoding="utf-8")

    def _run_block(self, block: Block, marks: set[str]) -> None:
        text = self._servers.real(block.text)
        if block.title is not None:
            self._write(block.title, block.text)
        match block.language:
            case "python" if block.title is not None:
                compile(text, block.title, "exec", dont_inherit=True)
            case "python":
                self._run_python(text, block.line)
            case "toml" if block.title is not None and block.title.endswith("pyproject.toml"):
                _check_distribution(self.work / block.title)
            case "toml" | "json":
                self._load(block, faulty="faulty" in marks)
            case "jinja":
                TemplateFormat.from_text(block.title or "page", text).render(_SAMPLE)
            case "console":
                self._run_console(block.text)
            case "text" if block.title is not None:
                pass
            case language:
                raise AssertionError(f"nobody can check a {language or 'nameless'} block here")

    # ------------------------------------------------------------------ python

    def _run_python(self, text: str, line: int) -> None:
        code = compile("\n" * line + text, str(self.page.path), "exec", dont_inherit=True)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), no_waiting(), warnings.catch_warnings():
            warnings.simplefilter("ignore", rf.RoleforgeWarning)
            exec(code, self._namespace)
        self._printed = self._servers.shown(printed.getvalue())

    def _expect_nothing_printed(self) -> None:
        assert not self._printed, f"this was printed and is not shown:\n{self._printed}"

    def _compare(self, shown: str, real: str) -> None:
        found = difference(shown, self._servers.shown(real))
        assert found is None, f"something else came out\n{found}"

    # ------------------------------------------------------------------ configuration

    def _load(self, block: Block, *, faulty: bool) -> None:
        """Load a configuration; one without a title is what the following commands find."""
        if block.title is None:
            for name in _CONFIGURATION.values():
                self._files.pop(self.work / name, None)
                (self.work / name).unlink(missing_ok=True)
        file = self._write(block.title or _CONFIGURATION[block.language], block.text)
        with pytest.MonkeyPatch.context() as patch:
            for names in _REFERENCE.findall(block.text):
                patch.setenv("".join(names), "of-the-reader")
            if faulty:
                _refuse(file)
            else:
                _use(file)

    # ------------------------------------------------------------------ console

    def _run_console(self, text: str) -> None:
        for command, shown in commands(text):
            what = without_what_runs_elsewhere(command)
            if what is None:
                assert not shown, f"{command!r} is not run here, so its output cannot be shown"
            elif (folder := re.fullmatch(r"pip install \./(\S+)", what)) is not None:
                install(self.work / folder[1], self.folder)
                assert not shown, "what pip says is not shown"
            else:
                self._compare(shown, self._output_of(what))
        assert self._exit_code == 0, f"the last command ended with {self._exit_code}; show it with `$ echo $?`"

    def _output_of(self, command: str) -> str:
        if not command.startswith("echo $?"):
            assert self._exit_code == 0, f"the command before {command!r} ended with {self._exit_code}"
        check_programs(command)
        script = f"(exit {self._exit_code}); {self._servers.real(command)}"
        done = subprocess.run(  # a command that check_programs has seen
            ["sh", "-c", script],
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        self._exit_code = done.returncode
        return done.stdout.decode()


def _use(file: Path) -> None:
    """Load the configuration and resolve all of its profiles: backend, prompt format, policy."""
    config = rf.load_config(file)
    assert not config.faults, str(config.faults)
    with rf.Client(config) as client:
        for name in config.profiles:
            warned = client.explain([{"role": "user", "content": "Hello"}], name).warnings
            assert not warned, f"profile {name}: {warned}"


def _refuse(file: Path) -> None:
    try:
        _use(file)
    except rf.ConfigError:
        return
    raise AssertionError("this configuration is marked as faulty, and is not")


def _check_distribution(pyproject: Path) -> None:
    project: Mapping[str, object] = tomllib.loads(pyproject.read_text())["project"]
    points = project["entry-points"]
    assert isinstance(points, dict)
    assert points["roleforge_llm"], "a plugin has an entry point in the group roleforge_llm"
