"""The template that a server has is a format once the server has been asked."""

import pytest

from roleforge_llm import BadReply, Conversation, FormatError, FormatNotFound, Message, NotFound, ServerTemplate, render
from roleforge_llm.formats import ServedFormat, ServerRendering, served_format
from tests.formats.models import PIPES, TOOLS

HI = Conversation((Message("user", "Hi!"),))


def test_what_the_server_says_is_all_that_a_model_brings() -> None:
    made = served_format(ServerTemplate(PIPES, "<s>", "</s>", TOOLS), "the server")
    assert made.render(HI) == "<s><|user|>\nHi!<|end|>\n<|assistant|>\n"
    assert made.render(HI, {"tools": []}).startswith("[]|<s>")
    assert (made.name, made.bos, made.stop) == ("server", "template", ("<|end|>", "<|user|>"))


def test_before_the_server_was_asked_nothing_is_known() -> None:
    unasked = ServedFormat("the server of profile 'p'")
    assert unasked.learned is None
    with pytest.raises(FormatError, match="the server of profile 'p' is not known yet"):
        unasked.render(HI)


def test_afterwards_it_is_the_format() -> None:
    asked = ServedFormat("the server")
    asked.learn(ServerTemplate(PIPES, "<s>", "</s>"))
    assert asked.learned == served_format(ServerTemplate(PIPES, "<s>", "</s>"), "the server")
    assert asked.render(HI) == asked.learned.render(HI)


@pytest.mark.parametrize("said", [None, ServerTemplate("")])
def test_a_server_without_a_template_is_a_failure_that_the_next_profile_may_cure(said: ServerTemplate | None) -> None:
    with pytest.raises(NotFound, match="name a format as template"):
        ServedFormat("the server").learn(said)


def test_a_broken_template_of_a_server_is_a_failure_too() -> None:
    with pytest.raises(BadReply, match=r"cannot be used: .*:1: "):
        ServedFormat("the server").learn(ServerTemplate("{% if %}"))


def test_without_a_profile_there_is_no_server_to_ask() -> None:
    with pytest.raises(FormatNotFound, match="can only stand in a profile"):
        render([{"role": "user", "content": "Hi!"}], "server")


def test_a_servers_own_rendering_is_a_format_to_compare_with() -> None:
    own = ServerRendering(lambda messages: f"<{messages[0].text}>", "<s>")
    assert (own.render(HI), own.bos_token, own.stop) == ("<Hi!>", "<s>", ())
    with pytest.raises(FormatError, match="does not tell"):
        ServerRendering(lambda _: None).render(HI)
