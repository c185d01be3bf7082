"""Finding plugins among 300 installed distributions: scans per process, and what the scan costs.

python benchmarks/discovery.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import Figure, Row, command, compare, main

DISTRIBUTIONS = 300
SCAN = "from importlib.metadata import entry_points; entry_points(group='roleforge_llm')"
HOST = "from roleforge_llm import PluginHost; PluginHost()"
EVERYTHING = """
import collections, sys
listed = collections.Counter()
sys.addaudithook(lambda name, args: listed.update([args[0]]) if name in ("os.listdir", "os.scandir") else None)
import roleforge_llm as rf
rf.render([{"role": "user", "content": "Hello."}])
rf.render([{"role": "user", "content": "Hello."}], "alpaca")
profile = {"type": "openai", "baseURL": "http://localhost:1", "model": "model"}
for _ in range(3):
    with rf.Client({"profiles": {"p": profile}}) as client:
        client.plan()
from roleforge_llm.cli import cli
cli.main(["plugins", "--json"], standalone_mode=False)
print(listed[sys.argv[1]], file=sys.stderr)
"""

# Else nothing that was changed since it was last run would have its bytecode, which no user is without.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def rows() -> Iterator[Row]:
    """How often the folder is looked through, and what a host costs beside ``entry_points()``."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(DISTRIBUTIONS):
            _install(Path(folder), f"distribution-{number}")
        os.environ["PYTHONPATH"] = folder
        scans = _scans(folder)
        yield Row(
            f"scans of {DISTRIBUTIONS} distributions in a process: two prompts, three clients, a command",
            Figure("entry_points() for each", 6, 6, 6, unit="scans"),
            Figure("roleforge-llm", scans, scans, scans, unit="scans"),
            target=1,
        )
        yield compare(
            f"a process that finds the plugins among {DISTRIBUTIONS} distributions",
            against=command("entry_points() alone", sys.executable, "-c", SCAN),
            ours=command("roleforge-llm", sys.executable, "-c", HOST, distribution="roleforge-llm"),
        )


def _install(folder: Path, name: str) -> None:
    """A distribution as pip leaves it, with a command, as many have."""
    information = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[console_scripts]\n{name} = os:getcwd\n")
    (information / "RECORD").write_text("")


def _scans(folder: str) -> float:
    run = subprocess.run([sys.executable, "-c", EVERYTHING, folder], check=True, capture_output=True, text=True)
    return float(run.stderr.split()[-1])


if __name__ == "__main__":
    main(rows)
