"""Memory: what importing takes, and a client with 100 profiles.

    python benchmarks/memory.py

Resident memory of a process, as the kernel counts it, beside that of ``python -c pass``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import attrs

from harness import ROUNDS, Figure, Row, main, spread

RESIDENT = """

import os
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""
ONE = """
import roleforge_llm
profile = {"type": "openai", "baseURL": "http://localhost:1/v1", "apiKey": "key", "model": "model"}
client = roleforge_llm.Client({"profiles": {"p0": profile}})
client.plan()
"""
HUNDRED = """
import roleforge_llm
profile = {"type": "openai", "baseURL": "http://localhost:1/v1", "apiKey": "key", "model": "model"}
names = [f"p{number}" for number in range(100)]
profiles = {name: {**profile, "model": name, "baseURL": f"http://localhost:{n + 1}/v1"} for n, name in enumerate(names)}
client = roleforge_llm.Client({"profiles": profiles})
for name in names:
    client.plan(name)
"""
MIB = 1 << 20

# Else nothing that was changed since it was last run would have its bytecode, and compiling it takes memory.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def rows() -> Iterator[Row]:
    """What importing takes above an empty program, and 100 profiles above one."""
    yield Row(
        "resident memory of import roleforge_llm",
        Figure("above python -c pass", unit="MiB"),
        _above("pass", "import roleforge_llm", "roleforge-llm"),
        tuple(
            _above("pass", f"import {module}", name)
            for module, name in (("openai", "openai"), ("litellm", "litellm"), ("langchain_openai", "langchain-openai"))
        ),
        target=16,
    )
    yield Row(
        "resident memory with all that is public loaded",
        Figure("above python -c pass", unit="MiB"),
        _above("pass", "from roleforge_llm import *", "roleforge-llm"),
    )
    yield Row(
        "resident memory of a client with 100 profiles",
        Figure("above one with one profile", unit="MiB"),
        _above(ONE, HUNDRED, "roleforge-llm"),
        target=5,
    )


def _above(less: str, more: str, distribution: str) -> Figure:
    name = f"{distribution} {_version(distribution)}".strip()
    try:
        found = [(_resident(more) - _resident(less)) / MIB for _ in range(ROUNDS)]
    except subprocess.CalledProcessError as error:
        return Figure(name, missing=error.stderr.strip().splitlines()[-1])
    return attrs.evolve(spread(name, found), unit="MiB")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _resident(code: str) -> int:
    """Bytes that a process holds when *code* has run."""
    run = subprocess.run([sys.executable, "-c", code + RESIDENT], check=True, capture_output=True, text=True)
    return int(run.stdout)


if __name__ == "__main__":
    main(rows)
