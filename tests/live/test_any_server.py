"""What holds for any server and model: point LIVE_LLM_URL at one."""

from typing import Any

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config

pytestmark = pytest.mark.live

MESSAGES = [{"role": "user", "content": "Say hello."}]


@pytest.fixture
def client(any_server: Any) -> Any:
    profiles = {
        "completions": any_server.profile(template="chatml"),
        "chat": any_server.profile(endpoint="chat"),
    }
    with rf.Client(parse_config({"profiles": profiles})) as client:
        yield client


@pytest.mark.parametrize("profile", ["completions", "chat"])
def test_both_endpoints_give_a_reply_that_says_how_it_ended(profile: str, client: rf.Client) -> None:
    completion = client.complete(MESSAGES, profile)
    assert completion.text or completion.reasoning
    assert completion.finish_reason in {"stop", "length"}
    assert completion.usage is not None
    assert completion.attempts[0].ok


@pytest.mark.parametrize("profile", ["completions", "chat"])
def test_a_stream_gives_the_text_of_its_completion(profile: str, client: rf.Client) -> None:
    with client.stream(MESSAGES, profile) as stream:
        assert "".join(stream) == stream.completion.text
    assert stream.completion.finish_reason in {"stop", "length"}


def test_the_token_limit_is_kept(client: rf.Client) -> None:
    completion = client.complete(MESSAGES, "completions", max_tokens=3)
    assert completion.usage is not None
    assert completion.usage.completion_tokens is not None
    assert completion.usage.completion_tokens <= 3


def test_no_stop_sequence_of_the_format_is_in_the_text(client: rf.Client) -> None:
    assert "<|im_" not in client.complete(MESSAGES, "completions").text


def test_leaving_a_stream_early_leaves_the_server_usable(client: rf.Client) -> None:
    with client.stream(MESSAGES, "completions") as stream:
        next(iter(stream))
    assert stream.completion.finish_reason is None
    assert client.complete(MESSAGES, "completions").text
