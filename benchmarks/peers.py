"""How everybody makes a call: the ordinary way that its documentation shows, set up once and used again.

Each function gives a way to ask: a function of a conversation that returns the text of the reply.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from harness import Contender, Work, repeated

__all__ = ["CALLS", "KEY", "MODEL", "Ask", "Messages", "asking", "profile", "sdk_call"]

Messages: TypeAlias = list[dict[str, str]]
Ask: TypeAlias = Callable[[Messages], object]

KEY = "sk-benchmark"
MODEL = "model"

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network when it is imported


def profile(url: str, **settings: object) -> dict[str, object]:
    """A profile of ours for the server at *url*, as a configuration has it."""
    return {"type": "openai", "baseURL": url, "apiKey": KEY, "model": MODEL, **settings}


def ours_call(url: str) -> Ask:
    """``Client.complete``."""
    import roleforge_llm

    client = roleforge_llm.Client({"profiles": {"benchmark": profile(url)}})
    return lambda messages: client.complete(messages).text


def sdk_call(url: str) -> Ask:
    """The SDK's typed ``create``."""
    import openai

    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
    return lambda messages: client.chat.completions.create(model=MODEL, messages=messages).choices[0].message.content  # type: ignore[arg-type]  # plain dicts


def any_llm_call(url: str) -> Ask:
    """One instance of any-llm."""
    from any_llm import AnyLLM

    client = AnyLLM.create("openai", api_base=url, api_key=KEY)
    return lambda messages: client.completion(model=MODEL, messages=messages).choices[0].message.content


def langchain_call(url: str) -> Ask:
    """``ChatOpenAI.invoke``."""
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_retries=0)
    return lambda messages: model.invoke(messages).content


def litellm_call(url: str) -> Ask:
    """``litellm.completion``."""
    import litellm

    ask = partial(litellm.completion, model=f"openai/{MODEL}", api_base=url, api_key=KEY, num_retries=0)
    return lambda messages: ask(messages=messages).choices[0].message.content


def router_call(url: str) -> Ask:
    """litellm's Router with one deployment."""
    from litellm import Router

    where = {"model": f"openai/{MODEL}", "api_base": url, "api_key": KEY}
    router = Router(model_list=[{"model_name": MODEL, "litellm_params": where}], num_retries=0)
    return lambda messages: router.completion(model=MODEL, messages=messages).choices[0].message.content


def llm_call(url: str) -> Ask:
    """A model of simonw/llm; it takes a system prompt and one prompt, and makes a client for each call."""
    from llm.default_plugins.openai_models import Chat

    model = Chat(MODEL, model_name=MODEL, api_base=url)
    model.key = KEY
    return lambda messages: model.prompt(messages[-1]["content"], system=messages[0]["content"], stream=False).text()


CALLS: Mapping[str, tuple[Callable[[str], Ask], str]] = {
    "any-llm": (any_llm_call, "any-llm-sdk"),
    "langchain": (langchain_call, "langchain-openai"),
    "litellm": (litellm_call, "litellm"),
    "litellm Router": (router_call, "litellm"),
    "llm": (llm_call, "llm"),
}
"""The peers: how to make a way to ask, and the distribution."""


def asking(name: str, make: Callable[[str], Ask], url: str, messages: Messages, distribution: str) -> Contender:
    """A contender that asks the server at *url* with *messages*, again and again."""

    def prepare() -> Work:
        ask = make(url)
        assert ask(messages), "what gives no text cannot be compared"
        return repeated(lambda: ask(messages))

    return Contender(name, prepare, distribution)
