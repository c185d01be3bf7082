"""The backend ``llamacpp`` through the public client: a model file for a profile, and no server anywhere."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import no_waiting

pytestmark = pytest.mark.live

Cases: TypeAlias = Callable[[str], list[Any]]


@pytest.fixture(autouse=True)
def _engine(servers: Callable[[str], Any]) -> None:
    """Skips where the engine cannot run, or where another server is to be tested."""
    if "LIVE_LLM_URL" in os.environ:
        pytest.skip("LIVE_LLM_URL asks for another server than the embedded engine")
    servers("canary")


def profile(**more: Any) -> dict[str, object]:
    return {"backend": "llamacpp", "model": "canary", "sampler": {"temperature": 0}, **more}


@pytest.mark.parametrize("model", ["canary", "canary-special"])
def test_a_profile_that_names_a_model_file_gives_replies_without_a_server(model: str, known_good: Cases) -> None:
    case = known_good("alpaca")[0]
    with rf.Client(parse_config({"profiles": {"p": profile(model=model, template="alpaca")}})) as client:
        assert client.complete(case.messages).text == case.reply
        with client.stream(case.messages) as stream:
            assert "".join(stream) == case.reply


def test_the_async_client_gives_them_too(known_good: Cases) -> None:
    case = known_good("alpaca")[0]

    async def ask() -> tuple[str, str]:
        async with rf.AsyncClient(parse_config({"profiles": {"p": profile(template="alpaca")}})) as client:
            whole = await client.complete(case.messages)
            async with client.stream(case.messages) as stream:
                return whole.text, "".join([piece async for piece in stream])

    assert asyncio.run(ask()) == (case.reply, case.reply)


@pytest.mark.parametrize("model", ["canary", "canary-special"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_chat_endpoint_continues_a_prefill_without_repeating_it(model: str, stream: bool) -> None:
    messages = [{"role": "user", "content": "ping"}, {"role": "assistant", "content": "Hello from "}]
    chat = profile(model=model, endpoint="chat", sampler={"temperature": 0, "stop": ["<|im_end|>"]})
    with rf.Client(parse_config({"profiles": {"p": chat}})) as client:
        if stream:
            with client.stream(messages) as pieces:
                text = "".join(pieces)
        else:
            text = client.complete(messages).text
    assert text == "chatml. Turn 1. System: no."


def test_a_missing_model_file_means_the_next_profile_at_once(known_good: Cases) -> None:
    case = known_good("chatml")[0]
    profiles = {
        "first": profile(model="~/no-such-file.gguf", fallbackProfiles=["second"]),
        "second": profile(template="chatml"),
    }
    with no_waiting(), rf.Client(parse_config({"profiles": profiles})) as client:
        completion = client.complete(case.messages)
    assert completion.text == case.reply
    failed, _ = completion.attempts
    assert failed.error is not None
    assert "there is no model file" in failed.error
