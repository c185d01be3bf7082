"""Run every script of this folder, one after the other, and make the table of docs/PERFORMANCE.md.

    python benchmarks/run.py            # print the table
    python benchmarks/run.py --write    # and write it into the page

It takes about a quarter of an hour. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE

from harness import surroundings
from report import HEADER, Figure, Row

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "PERFORMANCE.md"
BEGIN, END = "<!-- table: benchmarks/run.py --write -->", "<!-- end of table -->"

SCRIPTS = (
    "start_import.py",
    "start_reply.py",
    "calls.py",
    "streams.py",
    "first_token.py",
    "in_flight.py",
    "render_chatml.py",
    "render_modern.py",
    "render_turn.py",
    "fall_over.py",
    "extra_profile.py",
    "discovery.py",
    "memory.py",
)
"""In the order of the table."""


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scripts", nargs="*", default=SCRIPTS, help="only these, such as calls.py")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    arguments = parser.parse_args()
    rows = list(measured(arguments.scripts))
    table = "\n".join([_date(), "", HEADER, *(row.markdown() for row in rows)])
    print(table)
    if arguments.write:
        write(table)
    sys.exit(any(row.verdict == "MISSED" for row in rows))


def measured(scripts: Iterable[str]) -> Iterator[Row]:
    """The rows of these scripts."""
    for script in scripts:
        print(f"{script} ...", file=sys.stderr, flush=True)
        done = subprocess.run([sys.executable, str(HERE / script), "--json"], stdout=PIPE, text=True, check=False)
        yield from (Row.read(json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{"))
        if done.returncode:
            yield Row(script, Figure(""), Figure("roleforge-llm", missing="the script failed"), target=0)


def _date() -> str:
    return f"Measured on {datetime.now(UTC):%d %B %Y}: {surroundings()}."


def write(table: str) -> None:
    """Replace the table in the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
