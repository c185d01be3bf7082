"""Asking a server for its model's chat template."""

import pytest

from roleforge_llm import BadReply, ConnectFailed, InvalidRequest, Message, Profile, ServerTemplate
from tests.propsserver import PropsServer

TEMPLATE = "{{ messages }}"
HI = [Message("user", "Hi!")]


def test_template_and_tokens_come_from_props(backend):
    props = {
        "chat_template": TEMPLATE,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "chat_template_tool_use": "{{ tools }}",
    }
    with PropsServer(props) as server:
        found = backend.server_template(Profile("p", base_url=server.url))
    assert found == ServerTemplate(TEMPLATE, "<s>", "</s>", "{{ tools }}")


@pytest.mark.parametrize(("folder", "base"), [("", "/v1"), ("", "/v1/"), ("", ""), ("/llm", "/v1")])
def test_the_servers_root_is_asked_whatever_the_base_url_ends_with(backend, folder, base):
    with PropsServer({"chat_template": TEMPLATE}, folder=folder) as server:
        assert backend.server_template(Profile("p", base_url=server.url + base)) is not None
        assert [path for _, path, _ in server.asked] == [f"{folder}/props"]


@pytest.mark.parametrize("props", [None, {}, [], {"chat_template": ""}, {"chat_template": 3}])
def test_a_server_that_tells_no_template_gives_none(backend, props):
    with PropsServer(props) as server:
        assert backend.server_template(Profile("p", base_url=server.url)) is None


def test_the_prompt_is_the_servers_own_rendering(backend):
    with PropsServer(prompt=lambda messages: f"<{messages[0]['role']}>{messages[0]['content']}") as server:
        assert backend.server_prompt(Profile("p", base_url=server.url), HI) == "<user>Hi!"


def test_a_server_that_renders_nothing_gives_none(backend):
    with PropsServer() as server:
        assert backend.server_prompt(Profile("p", base_url=server.url), HI) is None


def test_a_conversation_that_the_servers_template_refuses_is_an_error(backend):
    def refuse(messages):
        raise ValueError("roles must alternate")

    with PropsServer(prompt=refuse) as server, pytest.raises(InvalidRequest, match="alternate"):
        backend.server_prompt(Profile("p", base_url=server.url), HI)


def test_the_profiles_key_and_headers_are_sent_and_shown_nowhere(backend, key):
    with PropsServer({"chat_template": TEMPLATE}) as server:
        backend.server_template(Profile("p", base_url=server.url, api_key=key))
        (_, _, headers), *_ = server.asked
    assert headers["authorization"] == f"Bearer {key}"
    with pytest.raises(ConnectFailed) as caught:
        backend.server_template(Profile("p", base_url=server.url, api_key=key))
    assert key not in str(caught.value)


def test_an_answer_that_is_no_json_is_an_error(backend):
    with PropsServer(b"<html>") as server, pytest.raises(BadReply, match="not JSON"):
        backend.server_template(Profile("p", base_url=server.url))
