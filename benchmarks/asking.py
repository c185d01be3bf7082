"""How everybody makes a call in asyncio: each function gives a way to ask, set up once and used for all calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from peers import KEY, MODEL, Messages, profile

__all__ = ["ASYNC_CALLS", "AsyncAsk", "ours_ask", "sdk_ask"]

AsyncAsk: TypeAlias = Callable[[Messages], Awaitable[object]]

_PATIENCE = 600
"""Seconds; with their own limits some peers give calls up that wait for the CPU."""


def ours_ask(url: str) -> AsyncAsk:
    """``AsyncClient.complete``."""
    import roleforge_llm

    client = roleforge_llm.AsyncClient({"profiles": {"benchmark": profile(url, timeouts={"connect": _PATIENCE})}})

    async def ask(messages: Messages) -> str:
        return (await client.complete(messages)).text

    return ask


def sdk_ask(url: str) -> AsyncAsk:
    """The SDK's typed ``create``."""
    import openai

    return _typed(openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=_PATIENCE))


def sdk_aiohttp_ask(url: str) -> AsyncAsk:
    """The same on the SDK's other transport."""
    import aiohttp  # noqa: F401  # without it the SDK's error does not say what is missing
    import openai

    http = openai.DefaultAioHttpClient(timeout=_PATIENCE)
    return _typed(openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=_PATIENCE, http_client=http))


def _typed(client: Any) -> AsyncAsk:
    async def ask(messages: Messages) -> object:
        return (await client.chat.completions.create(model=MODEL, messages=messages)).choices[0].message.content

    return ask


def any_llm_ask(url: str) -> AsyncAsk:
    """One instance of any-llm."""
    from any_llm import AnyLLM

    client = AnyLLM.create("openai", api_base=url, api_key=KEY, timeout=_PATIENCE)

    async def ask(messages: Messages) -> object:
        return (await client.acompletion(model=MODEL, messages=messages)).choices[0].message.content

    return ask


def langchain_ask(url: str) -> AsyncAsk:
    """``ChatOpenAI.ainvoke``."""
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_retries=0, timeout=_PATIENCE)

    async def ask(messages: Messages) -> object:
        return (await model.ainvoke(messages)).content

    return ask


ASYNC_CALLS: Mapping[str, tuple[Callable[[str], AsyncAsk], str]] = {
    "AsyncOpenAI on aiohttp": (sdk_aiohttp_ask, "openai"),
    "any-llm": (any_llm_ask, "any-llm-sdk"),
    "langchain": (langchain_ask, "langchain-openai"),
}
"""The peers: how to make a way to ask, and the distribution."""
