"""The command ``demo``, as a user runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from roleforge_llm_llamacpp.demo import FORMATS, demo

from roleforge_llm.testing import no_waiting

pytestmark = pytest.mark.usefixtures("_engine")

COMMAND = [sys.executable, "-c", "from roleforge_llm.cli import main; main()", "demo"]


def run(arguments: Sequence[str] = (), **environ: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, with no terminal anywhere."""
    environment = {**os.environ, **environ}
    return subprocess.run(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_model_names_the_format_of_the_profile_that_answered(format_name: str) -> None:
    with no_waiting():
        result = CliRunner().invoke(demo, ["--format", format_name, "ping"], catch_exceptions=False)
    assert result.stdout == f"Hello from {format_name}. Turn 1. System: yes.\n"
    assert result.exit_code == 0


def test_the_story_goes_to_stderr_and_tells_each_attempt_wait_and_the_fall_back() -> None:
    result = run()
    assert (result.returncode, result.stdout) == (0, "Hello from alpaca. Turn 1. System: yes.\n")
    told = result.stderr
    assert all(f"primary, attempt {number}: " in told for number in (1, 2, 3, 4))
    assert [told.index(f"waiting {wait} s") for wait in ("0.25", "0.5", "1")] == sorted(
        told.index(f"waiting {wait} s") for wait in ("0.25", "0.5", "1")
    )
    assert told.index("attempt 4") < told.index("falling back to embedded")
    assert r"'### Instruction:\nYou are a helpful assistant.\n### Input:\nTell me a joke.\n### Response:\n'" in told
    assert "4 attempts on primary failed (1.75 s of waiting); the reply came from embedded" in told
    assert "LLM API call failed" not in told


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_ctrl_c_ends_it_at_once_without_a_traceback() -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "waiting" in line:
                break
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=20)
    assert process.returncode not in {0, -signal.SIGINT}
    assert not rest
    assert "Traceback" not in told


def test_a_missing_system_library_is_told_with_its_cure(tmp_path: Path) -> None:
    problem = "libgomp.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "xllamacpp.py").write_text(f"raise ImportError({problem!r})")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    result = run(PYTHONPATH=path)
    assert result.returncode == 1
    assert "apt-get install libgomp1" in result.stderr
    assert "Traceback" not in result.stderr
