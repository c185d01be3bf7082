"""A fall-over: the first server is always busy, three retries of no wait, then the second server answers.

    python benchmarks/fall_over.py

Against a loop over the SDK that somebody writes by hand. The server counts: 4 requests to the first, 1 to the second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from conversations import conversation
from harness import Contender, Row, Work, compare, main, repeated
from peers import KEY, MODEL, Ask, profile
from server import Server

RETRIES = 3


def rows() -> Iterator[Row]:
    """The one row."""
    with Server() as server:
        yield compare(
            f"a fall-over: {RETRIES} retries, then success elsewhere",
            against=falling("a loop on openai", by_hand, server, "openai"),
            ours=falling("roleforge-llm", ours, server, "roleforge-llm"),
            peers=[falling("langchain", langchain, server, "langchain-openai")],
            target=1.1,
        )


def falling(name: str, make: Callable[[str, str], Ask], server: Server, distribution: str) -> Contender:
    """A contender that asks a busy server, and then one that answers; it must make exactly 4 and 1 requests."""
    messages = conversation(2)

    def prepare() -> Work:
        logging.disable(logging.CRITICAL)  # what is written to the screen is no part of this
        ask = make(server.url("busy"), server.url("whole"))
        before = server.requests("busy"), server.requests("whole")
        assert ask(messages), "what gives no text cannot be compared"
        made = server.requests("busy") - before[0], server.requests("whole") - before[1]
        assert made == (1 + RETRIES, 1), f"{name} made {made} requests"
        return repeated(lambda: ask(messages))

    return Contender(name, prepare, distribution)


def ours(busy: str, well: str) -> Ask:
    """Two profiles."""
    import roleforge_llm

    retries = {"maxRetries": RETRIES, "initialDelayMs": 0}
    profiles = {"busy": profile(busy, fallbackProfiles=["well"], retryConfig=retries), "well": profile(well)}
    client = roleforge_llm.Client({"defaultProfile": "busy", "profiles": profiles})
    return lambda messages: client.complete(messages).text


def by_hand(busy: str, well: str) -> Ask:
    """What one writes without a library."""
    import openai

    first, second = (openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) for url in (busy, well))

    def ask(messages: list[dict[str, str]]) -> str | None:
        for client in (*[first] * (1 + RETRIES), second):
            try:
                reply = client.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]  # plain dicts
            except openai.InternalServerError:
                continue
            return reply.choices[0].message.content
        raise RuntimeError("no server answers")

    return ask


def langchain(busy: str, well: str) -> Ask:
    """``with_retry`` and ``with_fallbacks``."""
    from langchain_openai import ChatOpenAI

    first, second = (ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_retries=0) for url in (busy, well))
    retrying = first.with_retry(
        stop_after_attempt=1 + RETRIES, wait_exponential_jitter=False, exponential_jitter_params=None
    )
    model = retrying.with_fallbacks([second])
    return lambda messages: model.invoke(messages).content


if __name__ == "__main__":
    main(rows)
