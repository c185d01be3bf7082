"""Formats that are one template."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from roleforge_llm import FormatError, FormatNotFound, MessageError, TemplateError, TemplateFormat
from roleforge_llm.messages import conversation

USER: dict[str, object] = {"role": "user", "content": "u"}


def render(
    text: str,
    messages: Sequence[Mapping[str, object]] = (USER,),
    variables: Mapping[str, object] | None = None,
    prefill: str = "",
    filename: str | None = None,
) -> str:
    made = TemplateFormat.from_text("mine", text, filename=filename)
    return made.render(conversation(messages, prefill), variables)


def test_a_native_template_is_given_the_conversation_under_these_names() -> None:
    text = (
        "{{ system_prompt }}|{% for m in history %}{{ m.role }}:{{ m.content }}:{{ m.name }};{% endfor %}"
        "|{{ user_message }}|{{ assistant_message }}|{{ messages|length }}|{{ bos_token }}{{ eos_token }}"
        "|{{ add_generation_prompt }}"
    )
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u1", "name": "Ann"},
        {"role": "assistant", "content": "a1"},
        {"role": "user", "content": "u2"},
    ]
    assert render(text, messages, prefill="p") == "s|user:u1:Ann;assistant:a1:None;|u2|p|4||True"


def test_user_message_is_none_when_the_conversation_does_not_close_with_one() -> None:
    messages: list[dict[str, object]] = [USER, {"role": "system", "content": "s"}]
    assert render("{{ user_message is none }} {{ history|length }}", messages) == "True 2"


def test_one_final_newline_of_a_native_template_is_dropped_and_nothing_else_trimmed() -> None:
    assert render("  {{ user_message }} \n\n", [{"role": "user", "content": "\n u \n"}]) == "  \n u \n \n"


def test_the_newline_after_a_tag_is_dropped_and_the_indent_before_it_kept() -> None:
    assert render("{% if true %}\n  {% if true %}\n{{ user_message }}{% endif %}{% endif %}") == "  u"


def test_an_undefined_variable_in_a_native_template_is_an_error_with_file_and_line() -> None:
    with pytest.raises(TemplateError, match=r"^mine\.jinja:2: 'usr_message' is undefined"):
        render("{{ user_message }}\n{{ usr_message }}", filename="mine.jinja")


def test_further_variables_reach_the_template() -> None:
    assert (
        render("{{ user_message }}{{ mood.now }}{{ bos_token }}", variables={"mood": {"now": "!"}, "bos_token": "B"})
        == "u!B"
    )


@pytest.mark.parametrize("name", ["system_prompt", "history", "user_message", "assistant_message", "messages"])
def test_a_variable_cannot_replace_what_the_conversation_says(name: str) -> None:
    with pytest.raises(FormatError, match=name):
        render("{{ user_message }}", variables={name: "x"})


def test_a_variable_that_is_not_plain_data_is_an_error() -> None:
    with pytest.raises(FormatError, match="'call' must be plain data"):
        render("{{ user_message }}", variables={"call": print})


def test_messages_reach_a_models_own_template_as_they_are() -> None:
    text = "{% for m in messages %}{{ m.role }}={{ m.content }},{{ m.tool_calls is defined }};{% endfor %}"
    messages: list[dict[str, object]] = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]
    assert render(text, messages) == "user=u,False;assistant=None,True;tool=42,False;"


def test_tools_and_documents_are_none_for_a_models_own_template_unless_given() -> None:
    text = "{{ tools is none }} {{ documents is none }} {{ messages[0].content }}"
    assert render(text) == "True True u"
    assert render(text, variables={"tools": [{"name": "f"}]}) == "False True u"


def test_a_prefill_follows_the_generation_prompt_of_a_models_own_template() -> None:
    text = "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}>{% endif %}"
    assert render(text, prefill="p") == "u>p"


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"role": "tool", "content": "x"}, "no turn for the role 'tool'"),
        ({"role": "developer", "content": "x"}, "no turn for the role 'developer'"),
        ({"role": "user", "content": [{"type": "text", "text": "x"}]}, "not content parts"),
        ({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, "not tool_calls"),
        ({"role": "assistant", "content": None, "id": "1"}, "not null content"),
    ],
)
def test_a_native_format_refuses_what_text_cannot_express_and_names_the_message(
    message: dict[str, object], complaint: str
) -> None:
    with pytest.raises(MessageError, match=rf"^messages\[1\]: .*{complaint}") as caught:
        render("{{ user_message }}", [USER, message, USER])
    assert caught.value.index == 1


def test_a_format_is_pickled_whole(tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text('{% set stop_sequence = ["#"] %}\n{{ user_message }}', encoding="utf-8")
    made = TemplateFormat.from_file(path)
    copy = pickle.loads(pickle.dumps(made))
    assert copy == made
    assert copy.render(conversation([USER])) == "u"


def test_a_file_is_a_format_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_bytes("\ufeff{{ user_message }}é\r\n".encode())
    made = TemplateFormat.from_file(path)
    assert (made.name, made.path) == ("mine", path)
    assert made.render(conversation([USER])) == "ué"


@pytest.mark.parametrize("name", ["absent.jinja", ".", "here.jinja/deeper.jinja"])
def test_a_path_that_is_no_file_is_not_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "here.jinja").write_text("x", encoding="utf-8")
    with pytest.raises(FormatNotFound, match="no such template file"):
        TemplateFormat.from_file(tmp_path / name)


@pytest.mark.parametrize(("name", "content"), [("x.jinja", b"\xff\xfe\x00"), ("tokenizer_config.json", b"{}")])
def test_a_file_that_is_no_template_is_an_error_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TemplateError, match=name):
        TemplateFormat.from_file(tmp_path / name)
