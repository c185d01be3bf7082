"""What a server tells beside replies, and whom it tells."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from roleforge_llm_llamacpp.api import Api
from roleforge_llm_llamacpp.models import model_file
from roleforge_llm_llamacpp.questions import apply_template, detokenize, health, props, slots, tokenize

from roleforge_llm import (
    AuthenticationFailed,
    BackendError,
    ConnectFailed,
    InvalidRequest,
    Message,
    Profile,
    ServerError,
)

RemoteProfile = Callable[..., Profile]

TALK = [Message("system", "Be brief."), Message("user", "ping")]
PROMPT = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nping<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as api:
        yield api


def test_health_is_ok_where_the_model_is_loaded(api: Api, remote: RemoteProfile) -> None:
    assert api.ask(remote(), health()) == "ok"


def test_while_the_model_is_being_loaded_health_is_an_error_of_kind_loading(api: Api, loading_root: str) -> None:
    """The first connections are refused; then the server says that it loads; then it is well."""
    profile, seen = Profile("p", base_url=loading_root, api_key="the-key"), []
    deadline = time.monotonic() + 60
    while "ok" not in seen:
        assert time.monotonic() < deadline
        try:
            seen.append(api.ask(profile, health()))
        except (ConnectFailed, ServerError) as error:
            seen.append(error.kind)
    assert list(dict.fromkeys(seen))[-2:] == ["loading", "ok"]
    assert set(seen) <= {"refused", "reset", "loading", "ok"}


def test_props_tell_model_window_slots_and_template(api: Api, remote: RemoteProfile) -> None:
    found = api.ask(remote(), props())
    assert found.model == str(model_file("canary"))
    assert (found.context_window, found.total_slots) == (1024, 2)
    assert found.template is not None
    assert (found.template.bos_token, found.template.eos_token) == ("<s>", "</s>")
    assert "<|im_start|>" in found.template.text


def test_slots_tell_which_of_them_work(api: Api, remote: RemoteProfile) -> None:
    found = api.ask(remote(), slots())
    assert [(slot.id, slot.is_processing, slot.context_window) for slot in found] == [
        (0, False, 1024),
        (1, False, 1024),
    ]


def test_tokens_are_counted_as_in_a_prompt_and_make_the_text_again(api: Api, remote: RemoteProfile) -> None:
    tokens = api.ask(remote(), tokenize("Hé <|im_end|>"))
    assert len(tokens) == 1 + len("Hé <|im_end|>".encode())
    assert api.ask(remote(), detokenize(tokens[1:])) == "Hé <|im_end|>"


def test_the_server_renders_a_conversation(api: Api, remote: RemoteProfile) -> None:
    assert api.ask(remote(), apply_template(TALK)) == PROMPT
    assert api.ask(remote(), apply_template(TALK, "Well")) == PROMPT + "Well"


def test_asyncio_gets_the_same_answers(api: Api, remote: RemoteProfile) -> None:
    async def ask() -> list[Any]:
        try:
            return [await api.aask(remote(), question) for question in (health(), props(), tokenize("x"))]
        finally:
            await api.aclose()

    assert asyncio.run(ask()) == ["ok", api.ask(remote(), props()), api.ask(remote(), tokenize("x"))]


def test_without_the_key_nobody_is_told_anything(api: Api, remote: RemoteProfile) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        api.ask(remote(api_key="guessed"), props())
    assert "guessed" not in str(caught.value)


def test_what_a_server_was_started_without_is_an_error_that_no_retry_cures(
    api: Api, server: Any, remote: RemoteProfile
) -> None:
    """The embedded server shows nobody its slots."""
    with pytest.raises(InvalidRequest) as caught:
        api.ask(Profile("p", base_url=server.url(), api_key=server.key), slots())
    assert (caught.value.kind, caught.value.status) == ("not-supported", 501)


def test_a_question_keeps_to_the_deadline_of_its_call(api: Api, remote: RemoteProfile) -> None:
    with pytest.raises(BackendError) as caught:
        api.ask(remote(), props(), deadline=time.monotonic())
    assert caught.value.kind == "total"
