"""The first reply of a fresh process: everything that is imported, made and opened on the way to it.

python benchmarks/start_reply.py
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from harness import Contender, Row, command, compare, main
from peers import KEY, MODEL
from server import Server

MESSAGES = [{"role": "user", "content": "Say hello."}]

SDK = """
import openai
with openai.OpenAI(base_url={url!r}, api_key={key!r}, max_retries=0) as client:
    reply = client.chat.completions.create(model={model!r}, messages={messages!r})
    assert reply.choices[0].message.content
"""
OURS = """
import roleforge_llm
profile = {{"type": "openai", "baseURL": {url!r}, "apiKey": {key!r}, "model": {model!r}}}
with roleforge_llm.Client({{"profiles": {{"p": profile}}}}) as client:
    assert client.complete({messages!r}).text
"""
LITELLM = """
import os
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm
reply = litellm.completion(model="openai/{model}", api_base={url!r}, api_key={key!r}, messages={messages!r})
assert reply.choices[0].message.content
"""
LANGCHAIN = """
from langchain_openai import ChatOpenAI
model = ChatOpenAI(model={model!r}, base_url={url!r}, api_key={key!r}, max_retries=0)
assert model.invoke({messages!r}).content
"""

# Else nothing that was changed since it was last run would have its bytecode, which no user is without.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def rows() -> Iterator[Row]:
    """One row."""
    with Server() as server:

        def script(name: str, text: str, distribution: str) -> Contender:
            code = text.format(url=server.url("whole"), key=KEY, model=MODEL, messages=MESSAGES)
            return command(name, sys.executable, "-c", code, distribution=distribution)

        yield compare(
            "first reply of a fresh process",
            against=script("a script with openai", SDK, "openai"),
            ours=script("roleforge-llm", OURS, "roleforge-llm"),
            peers=[script("litellm", LITELLM, "litellm"), script("langchain", LANGCHAIN, "langchain-openai")],
            target=1.05,
        )


if __name__ == "__main__":
    main(rows)
