"""The command line as a process of its own: closed, full and other streams, and what it prints on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from roleforge_llm.testing import FaultServer

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
needs_shell = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


@pytest.fixture
def process(tmp_path):
    """Runs ``roleforge-llm ARGUMENTS`` in a shell, in an empty folder; gives exit code, stdout bytes and stderr text."""

    def running(arguments: str, stdin: bytes = b"", **environ: str) -> tuple[int, bytes, str]:
        own = {name: value for name, value in os.environ.items() if name != "ROLEFORGE_LLM_CONFIG"}
        done = subprocess.run(
            f'"{sys.executable}" -m roleforge_llm {arguments}',
            shell=True,  # redirections are what is tested
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            env={**own, "XDG_CONFIG_HOME": str(tmp_path / "home"), **environ},
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.decode()

    return running


@needs_dev_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["formats", "--help"])
def test_a_full_disk_is_one_line_and_code_1(process, arguments, unbuffered):
    code, _, err = process(f"{arguments} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (code, err) == (1, "error: cannot write the output: No space left on device\n")


@needs_shell
def test_a_closed_stdout_is_one_line_and_code_1(process):
    code, _, err = process("formats >&-")
    assert (code, err) == (1, "error: cannot write the output: stdout is closed\n")


@needs_shell
def test_a_reader_that_leaves_early_is_no_error_message(process):
    _, out, err = process("formats --json | head -c 1")
    assert (out, err) == (b"[", "")


@needs_shell
@pytest.mark.parametrize("arguments", ["chat", "render --format chatml --messages -"])
def test_a_closed_stdin_is_told(process, tmp_path, arguments):
    (tmp_path / "roleforge-llm.json").write_text('{"profiles": {"a": {"baseURL": "http://localhost:1/v1"}}}')
    code, _, err = process(f"{arguments} <&-")
    assert (code, err) == (2, "error: stdin is closed; give TEXT, or --messages FILE\n")


def test_a_prompt_is_utf_8_whatever_the_locale_is(process, tmp_path):
    (tmp_path / "talk.json").write_text(json.dumps([{"role": "user", "content": "\N{GRINNING FACE}é"}]))
    command = "render --format chatml --messages talk.json"
    code, out, _ = process(command, PYTHONIOENCODING="latin-1")
    assert (code, out.decode()) == (
        0,
        "<|im_start|>user\n\N{GRINNING FACE}é<|im_end|>\n<|im_start|>assistant\n",
    )
    code, out, _ = process(f"{command} --json", PYTHONIOENCODING="latin-1")
    assert (code, "\N{GRINNING FACE}é" in json.loads(out)["text"]) == (0, True)


@needs_shell
def test_a_file_without_end_is_refused(process):
    code, _, err = process("render --format chatml --messages /dev/zero")
    assert (code, err) == (2, "error: /dev/zero is larger than 64 MiB\n")
    code, _, err = process("render --format chatml --messages - </dev/zero")
    assert (code, err) == (2, "error: stdin is larger than 64 MiB\n")


@needs_shell
def test_init_below_a_file_is_one_line(process):
    code, _, err = process("init", XDG_CONFIG_HOME="/dev/null")
    assert code == 2
    assert err.endswith("error: /dev/null/roleforge-llm/roleforge-llm.toml: cannot be written: Not a directory\n")
    assert "Traceback" not in err


def test_a_fault_of_an_unused_profile_is_a_warning_and_a_failed_attempt_a_line_of_its_own(process, tmp_path):
    with FaultServer(["401", "401"]) as server:
        profiles = {
            "a": {"baseURL": server.base_url},
            "b": {"baseURL": "http://localhost:1/v1", "apiKey": "${NOT_SET_ANYWHERE}"},
        }
        (tmp_path / "roleforge-llm.json").write_text(json.dumps({"defaultProfile": "a", "profiles": profiles}))
        (tmp_path / "roleforge-llm.json").chmod(0o600)
        for command in ("chat Hi", "plan"):
            _, _, err = process(command)
            told = [line for line in err.splitlines() if "is not used here" in line]
            assert [line.startswith("warning: profiles.b.") for line in told] == [True]
        _, _, err = process("chat Hi")
    assert "\nLLM API call failed: profile=a" in err
