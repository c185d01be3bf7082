"""Counting with the model's own tokenizer: the canary has one token for each byte, and BOS."""

import asyncio

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config

pytestmark = pytest.mark.usefixtures("_engine")

TALK = [
    {"role": "user", "content": "Hi there"},
    {"role": "assistant", "content": "Hello! How can I help you today?"},
    {"role": "user", "content": "What's your name?"},
]
NEEDED = len(rf.render(TALK).text) + 1 + 60


def config(window: int | None) -> rf.Config:
    sampler: dict[str, object] = {"maxTokens": 60, "temperature": 0}
    if window is not None:
        sampler["maxContextTokens"] = window
    profile = {"backend": "llamacpp", "model": "canary", "template": "chatml", "sampler": sampler}
    return parse_config({"profiles": {"canary": profile}})


def test_the_context_is_filled_to_the_last_token() -> None:
    with rf.Client(config(NEEDED)) as exact:
        kept = exact.complete(TALK)
        assert (kept.omitted, kept.text) == ((), "Hello from chatml. Turn 2. System: no.")
    with rf.Client(config(NEEDED - 1)) as short:
        cut = short.complete(TALK)
        assert (cut.omitted, cut.text) == ((0, 1), "Hello from chatml. Turn 1. System: no.")
        assert cut.warnings == ("2 messages were left out to fit the context (tokens counted)",)


def test_async_calls_count_alike() -> None:
    async def cut() -> rf.Completion:
        async with rf.AsyncClient(config(NEEDED - 1)) as short:
            return await short.complete(TALK)

    assert asyncio.run(cut()).omitted == (0, 1)


def test_where_no_limit_is_set_the_servers_own_holds() -> None:
    talk = [{"role": "user", "content": "x" * 3000}, {"role": "assistant", "content": "y" * 3000}, TALK[0]]
    with rf.Client(config(4096)) as limited, rf.Client(config(None)) as free:
        assert limited.complete(talk).omitted == free.complete(talk).omitted == (0, 1)
