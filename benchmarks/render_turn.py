"""One more turn of a long chat: rendering it when its earlier turns have been rendered before, beside all of it again.

    python benchmarks/render_turn.py

The reference renders the same growing chats with another system message each time, so that nothing can be used again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial

from conversations import conversation
from harness import Contender, Row, Work, compare, main

LENGTHS = (20, 200, 2000)
TURNS = 50
"""Turns that are added to a chat before a new one begins."""


def rows() -> Iterator[Row]:
    """A row for each length of chat."""
    for length in LENGTHS:
        yield compare(
            f"one more turn of a chat of {length} messages",
            against=Contender("all of it again", partial(growing, length, afresh=True), "roleforge-llm"),
            ours=Contender("roleforge-llm", partial(growing, length, afresh=False), "roleforge-llm"),
            target=1.0,
        )


def growing(length: int, *, afresh: bool) -> Work:
    """Add a turn to a chat and render it, again and again."""
    import roleforge_llm

    chats = _chats(length)

    def work(times: int) -> None:
        for number, messages in itertools.islice(chats, times):
            if afresh:
                messages[0] = {"role": "system", "content": f"This is conversation {number}."}
            roleforge_llm.render(messages)

    return work


def _chats(length: int) -> Iterator[tuple[int, list[dict[str, str]]]]:
    numbers = itertools.count()
    while True:
        messages = conversation(length)
        messages[0] = {"role": "system", "content": f"This is chat {next(numbers)}."}
        for number in itertools.islice(numbers, TURNS):
            messages += [
                {"role": "assistant", "content": f"This is answer {number}, as short as most are."},
                {"role": "user", "content": f"And what about question {number}?"},
            ]
            yield number, messages


if __name__ == "__main__":
    main(rows)
