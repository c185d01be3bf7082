"""One synchronous call with 2, 20 and 200 messages, against the openai SDK's typed ``create``.

python benchmarks/calls.py
"""

from __future__ import annotations

from collections.abc import Iterator

from conversations import conversation
from harness import Row, compare, main
from peers import CALLS, asking, ours_call, sdk_call
from server import Server

TARGETS = {2: 0.75, 20: 0.40, 200: 0.10}


def rows() -> Iterator[Row]:
    """A row for each length."""
    with Server() as server:
        for length in TARGETS:
            yield row(server.url("whole"), length)


def row(url: str, length: int) -> Row:
    """The row for *length* messages. llm takes only two."""
    messages = conversation(length)
    return compare(
        f"one call, {length} messages",
        against=asking("openai", sdk_call, url, messages, "openai"),
        ours=asking("roleforge-llm", ours_call, url, messages, "roleforge-llm"),
        peers=[
            asking(name, make, url, messages, distribution)
            for name, (make, distribution) in CALLS.items()
            if name != "llm" or length == 2
        ],
        target=TARGETS[length],
    )


if __name__ == "__main__":
    main(rows)
