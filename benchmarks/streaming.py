"""How everybody streams a reply: each function gives a way to ask that yields the pieces of the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

from peers import KEY, MODEL, Messages, profile

__all__ = ["STREAMS", "Stream", "ours_stream", "sdk_stream"]

Stream: TypeAlias = Callable[[Messages], Iterator[str | None]]


def ours_stream(url: str) -> Stream:
    """``Client.stream``."""
    import roleforge_llm

    client = roleforge_llm.Client({"profiles": {"benchmark": profile(url)}})

    def pieces(messages: Messages) -> Iterator[str]:
        with client.stream(messages) as stream:
            yield from stream

    return pieces


def sdk_stream(url: str) -> Stream:
    """The SDK's own iterator."""
    import openai

    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)

    def pieces(messages: Any) -> Iterator[str | None]:
        for chunk in client.chat.completions.create(model=MODEL, messages=messages, stream=True):
            yield chunk.choices[0].delta.content

    return pieces


def any_llm_stream(url: str) -> Stream:
    """One instance of any-llm."""
    from any_llm import AnyLLM

    client = AnyLLM.create("openai", api_base=url, api_key=KEY)
    return lambda messages: (
        chunk.choices[0].delta.content for chunk in client.completion(model=MODEL, messages=messages, stream=True)
    )


def langchain_stream(url: str) -> Stream:
    """``ChatOpenAI.stream``."""
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_retries=0)
    return lambda messages: (chunk.content for chunk in model.stream(messages))


def litellm_stream(url: str) -> Stream:
    """``litellm.completion``."""
    import litellm

    ask = partial(litellm.completion, model=f"openai/{MODEL}", api_base=url, api_key=KEY, num_retries=0, stream=True)
    return lambda messages: (chunk.choices[0].delta.content for chunk in ask(messages=messages))


def llm_stream(url: str) -> Stream:
    """A model of simonw/llm."""
    from llm.default_plugins.openai_models import Chat

    model = Chat(MODEL, model_name=MODEL, api_base=url)
    model.key = KEY
    return lambda messages: iter(model.prompt(messages[-1]["content"], system=messages[0]["content"]))


STREAMS: Mapping[str, tuple[Callable[[str], Stream], str]] = {
    "any-llm": (any_llm_stream, "any-llm-sdk"),
    "langchain": (langchain_stream, "langchain-openai"),
    "litellm": (litellm_stream, "litellm"),
    "llm": (llm_stream, "llm"),
}
"""The peers: how to make a way to stream, and the distribution."""
