"""One streamed token, in a burst and paced, against the openai SDK's own iterator.

    python benchmarks/streams.py

In a burst the server sends the whole stream at once, and what is measured is reading it. Paced, each token comes a
millisecond after the one before, and waiting for it, one system call or more, is part of its cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conversations import conversation
from harness import Contender, Row, Work, compare, main, repeated
from server import TOKENS, Server
from streaming import STREAMS, Stream, ours_stream, sdk_stream

TARGETS = {"burst": 0.20, "paced": 0.50}


def rows() -> Iterator[Row]:
    """A row for each way in which tokens come."""
    with Server() as server:
        for kind, target in TARGETS.items():
            yield row(kind, server.url(kind), target)


def row(kind: str, url: str, target: float) -> Row:
    """The row for streams that come in this way."""
    return compare(
        f"one streamed token, {kind}",
        against=reading("openai", sdk_stream, url, "openai"),
        ours=reading("roleforge-llm", ours_stream, url, "roleforge-llm"),
        peers=[reading(name, make, url, distribution) for name, (make, distribution) in STREAMS.items()],
        target=target,
    )


def reading(name: str, make: Callable[[str], Stream], url: str, distribution: str) -> Contender:
    """A contender that reads streams."""
    messages = conversation(2)

    def prepare() -> Work:
        stream = make(url)
        assert sum(1 for piece in stream(messages) if piece) == TOKENS, "each token must come as a piece of its own"

        return repeated(lambda: list(stream(messages)))

    return Contender(name, prepare, distribution, unit=TOKENS)


if __name__ == "__main__":
    main(rows)
