"""Memory does not grow with the number of rows, but for a few bytes that say which rows there were."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MEASURE = """
import resource, sys
from roleforge_llm.cli import main
try:
    main(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""
CONVERSATION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello there, how are you?"}]


def megabytes(folder, *arguments):
    """The most memory that the command took."""
    command = [sys.executable, "-c", MEASURE, "batch", "in.jsonl", "-o", "out.jsonl", "--render-only", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


def write(folder, count):
    with (folder / "in.jsonl").open("w") as file:
        for number in range(count):
            file.write(json.dumps({"id": f"row-{number:09}", "messages": CONVERSATION}) + "\n")


@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_memory_is_flat_over_many_rows(tmp_path, count):
    """The input alone would take some 600 bytes a row as objects; ids take 9, and what is answered 5."""
    write(tmp_path, 1000)
    few = megabytes(tmp_path, "--format", "chatml")
    write(tmp_path, count)
    assert megabytes(tmp_path, "--format", "chatml", "--overwrite") - few < 4 + count * 20 / 1e6
    assert megabytes(tmp_path, "--format", "chatml", "--resume") - few < 4 + count * 20 / 1e6
    with (tmp_path / "out.jsonl").open("rb") as rows:
        assert sum(1 for _ in rows) == count
