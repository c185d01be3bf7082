"""The CPU time until the first token of a streamed reply, with 200 messages, against the openai SDK.

    python benchmarks/first_token.py

Waiting for the model costs no CPU, so this is what the client adds to the wait. The reply ends after its one token,
so that its connection can be used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conversations import conversation
from harness import Contender, Row, Work, compare, main, repeated
from server import Server
from streaming import STREAMS, Stream, ours_stream, sdk_stream


def rows() -> Iterator[Row]:
    """The one row. llm takes no history."""
    with Server() as server:
        url = server.url("first")
        yield compare(
            "first token, 200 messages",
            against=beginning("openai", sdk_stream, url, "openai"),
            ours=beginning("roleforge-llm", ours_stream, url, "roleforge-llm"),
            peers=[beginning(name, make, url, owner) for name, (make, owner) in STREAMS.items() if name != "llm"],
            target=0.15,
        )


def beginning(name: str, make: Callable[[str], Stream], url: str, distribution: str) -> Contender:
    """A contender that reads streams of one token."""
    messages = conversation(200)

    def prepare() -> Work:
        stream = make(url)
        assert any(stream(messages)), "what gives no token cannot be compared"
        return repeated(lambda: list(stream(messages)))

    return Contender(name, prepare, distribution)


if __name__ == "__main__":
    main(rows)
