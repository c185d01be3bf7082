"""What a third party writes to make a format in Python."""

from collections.abc import Mapping

import attrs

from roleforge_llm import Conversation, PromptFormat
from roleforge_llm.messages import conversation
from roleforge_llm.rendering import render_guarded


class Shout(PromptFormat):
    name = "shout"
    stop = ("!",)

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        return "".join(message.text.upper() for message in conversation.messages) + conversation.prefill


class Named(Shout):
    def __init__(self, name: str) -> None:
        self.name = name
        self.reply_prefix = " "  # type: ignore[misc]  # type checkers see a property; at run time it may be set


@attrs.frozen
class Fielded(PromptFormat):
    name: str
    stop: tuple[str, ...] = ("#",)

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        return ""


def test_class_attributes_replace_the_defaults() -> None:
    form = Shout()
    assert (form.name, form.stop) == ("shout", ("!",))
    assert (form.control_tokens, form.reply_prefix, form.reply_suffix) == ((), "", "")
    assert (form.system_turns, form.bos, form.source, form.description) == ("any", "server", "", "")
    assert render_guarded(form, conversation([{"role": "user", "content": "u"}], "p")).text == "Up"


def test_attributes_of_an_instance_replace_them_too() -> None:
    assert (Named("loud").name, Named("loud").reply_prefix, Named("loud").stop) == ("loud", " ", ("!",))
    assert (Fielded("f").name, Fielded("f").stop, Fielded("f").bos) == ("f", ("#",), "server")
