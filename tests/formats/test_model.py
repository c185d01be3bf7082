"""A model's own chat template is a format, whatever file it comes in."""

import json
from pathlib import Path

import pytest

import roleforge_llm as rf
from roleforge_llm.formats import model_format
from tests.formats.models import PIPES, TOOLS, WORDS, gguf, model, write_config

CONVERSATION = [
    {"role": "user", "content": "Hi!"},
    {"role": "assistant", "content": "Yes?"},
    {"role": "user", "content": "So."},
]
PROMPT = "<|user|>\nHi!<|end|>\n<|assistant|>\nYes?<|end|>\n<|user|>\nSo.<|end|>\n<|assistant|>\n"


def text(path: object, **variables: object) -> str:
    return rf.render(CONVERSATION, str(path), variables=variables).text


def test_a_tokenizer_configuration_renders(tmp_path: Path) -> None:
    assert text(write_config(tmp_path)) == PROMPT


def test_a_folder_is_its_tokenizer_configuration(tmp_path: Path) -> None:
    write_config(tmp_path / "tiny")
    assert text(tmp_path / "tiny") == PROMPT
    assert model_format(tmp_path / "tiny").name == "tiny"


def test_a_gguf_file_renders(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(gguf(model()))
    assert text(tmp_path / "tiny.gguf") == "<s>" + PROMPT


def test_a_templates_text_is_a_format() -> None:
    assert text(PIPES) == PROMPT
    assert rf.render(CONVERSATION, PIPES).stop == ("<|end|>", "<|user|>")
    assert text("{% set stop_sequence = ['#'] %}{{ user_message }}") == "So."


@pytest.mark.parametrize("token", ["<s>", {"content": "<s>", "lstrip": False, "__type": "AddedToken"}])
def test_tokens_are_texts_or_objects(tmp_path: Path, token: object) -> None:
    made = model_format(write_config(tmp_path, bos_token=token, eos_token=None))
    assert (made.bos_token, made.eos_token) == ("<s>", "")
    assert text(tmp_path) == "<s>" + PROMPT


def test_tokens_stand_in_the_special_tokens_map_too(tmp_path: Path) -> None:
    (tmp_path / "special_tokens_map.json").write_text('{"bos_token": "<map>", "eos_token": "</map>"}')
    made = model_format(write_config(tmp_path, bos_token="<s>"))
    assert (made.bos_token, made.eos_token) == ("<s>", "</map>")


def test_added_tokens_are_control_tokens_unless_ordinary_text_holds_them(tmp_path: Path) -> None:
    added = {
        "1": {"content": "<|end|>", "special": True},
        "2": {"content": "[TOOL]", "special": False},
        "3": {"content": "    ", "special": False},
        "4": {"content": "é", "special": False},
        "5": {"content": " ", "special": True},
    }
    path = write_config(
        tmp_path,
        added_tokens_decoder=added,
        pad_token="<pad>",
        additional_special_tokens=["<x>"],
        extra_special_tokens={"i": "<i>"},
    )
    assert model_format(path).control_tokens == ("<|end|>", "[TOOL]", "<pad>", "<x>", "<i>")


def test_a_template_that_writes_bos_says_so(tmp_path: Path) -> None:
    assert model_format(write_config(tmp_path / "a", bos_token="<s>")).bos == "template"
    assert model_format(write_config(tmp_path / "b", WORDS, bos_token="<s>")).bos == "server"


NAMED = [
    {"name": "default", "template": PIPES},
    {"name": "tool_use", "template": TOOLS},
    {"name": "rag", "template": WORDS},
]


@pytest.mark.parametrize("named", [NAMED, {entry["name"]: entry["template"] for entry in NAMED}], ids=["list", "table"])
def test_of_several_templates_the_default_is_used_and_tool_use_with_tools(tmp_path: Path, named: object) -> None:
    path = write_config(tmp_path, named)
    assert text(path) == PROMPT
    assert text(path, tools=[{"name": "f"}]) == '[{"name": "f"}]|' + PROMPT


def test_one_of_several_templates_is_named_behind_the_path(tmp_path: Path) -> None:
    path = write_config(tmp_path, NAMED)
    assert text(f"{path}#rag").startswith("HUMAN: Hi!\nBOT: Yes?")
    assert text(f"{path}#default", tools=[]) == PROMPT
    with pytest.raises(rf.TemplateError, match=r"has no chat template 'rug'; .*: #default, #tool_use, #rag"):
        text(f"{path}#rug")


def test_a_single_named_template_needs_no_name(tmp_path: Path) -> None:
    assert text(write_config(tmp_path, NAMED[2:])).startswith("HUMAN: ")


def test_a_template_file_beside_the_configuration_wins_and_gets_its_tokens(tmp_path: Path) -> None:
    path = write_config(tmp_path, WORDS, bos_token="<s>")
    (tmp_path / "chat_template.jinja").write_text(PIPES)
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "rag.jinja").write_text("rag{{ bos_token }}")
    for each in (path, tmp_path, tmp_path / "chat_template.jinja"):
        assert text(each) == "<s>" + PROMPT
    assert text(f"{path}#rag") == "rag<s>"


def test_tools_documents_and_other_variables_pass_through(tmp_path: Path) -> None:
    path = write_config(tmp_path, "{{ tools | tojson }}{{ documents[0].text }}{{ mood }}{{ messages | length }}")
    assert text(path, tools=[{"name": "é"}], documents=[{"text": "D"}], mood="calm") == '[{"name": "é"}]Dcalm3'
    assert rf.render(CONVERSATION, str(write_config(tmp_path, "{{ tools }}{{ documents }}"))).text == "NoneNone"


def test_a_prefill_follows_the_generation_prompt_as_the_model_writes_it(tmp_path: Path) -> None:
    assert rf.render(CONVERSATION, str(write_config(tmp_path / "a")), prefill="We").text == PROMPT + "We"
    assert rf.render(CONVERSATION, str(write_config(tmp_path / "b", WORDS)), prefill="We").text.endswith("So.\nBOT: We")


def test_without_a_generation_prompt_the_conversation_is_closed(tmp_path: Path) -> None:
    closed = rf.render(CONVERSATION[:2], str(write_config(tmp_path)), variables={"add_generation_prompt": False})
    assert closed.text == "<|user|>\nHi!<|end|>\n<|assistant|>\nYes?<|end|>\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[]", "must hold a JSON object"),
        ('{\n"chat_template": }', "tokenizer_config.json:2: is not JSON"),
        ("{}", "has no chat template; give the model's chat_template.jinja"),
        ('{"chat_template": 3}', "neither a text nor a list of templates"),
        ('{"chat_template": [{"name": "x"}]}', "neither a text nor a list of templates"),
        ('{"chat_template": "a{% if %}"}', "tokenizer_config.json:1: "),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_without_a_usable_template_is_one_clear_error(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "tokenizer_config.json"
    path.write_text(content)
    with pytest.raises(rf.TemplateError) as caught:
        text(path)
    assert complaint in str(caught.value)


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(rf.TemplateError, match="cannot be read"):
        text(tmp_path)


@pytest.mark.parametrize("name", ["absent/tokenizer_config.json", "absent.gguf", "absent.json#rag"])
def test_a_model_that_is_not_there_is_an_error_and_not_chatml(tmp_path: Path, name: str) -> None:
    with pytest.raises(rf.FormatNotFound, match="no such"):
        text(tmp_path / name)


def test_a_template_that_fails_names_the_file(tmp_path: Path) -> None:
    path = write_config(tmp_path, "{{ raise_exception('no system messages') }}")
    with pytest.raises(rf.TemplateError, match=r"tokenizer_config\.json:1: no system messages"):
        text(path)


def test_a_template_is_never_trusted_because_of_its_file(tmp_path: Path) -> None:
    with pytest.raises(rf.TemplateError, match="unsafe"):
        text(write_config(tmp_path, "{{ messages.__class__.__mro__ }}"))


def test_a_native_format_refuses_tools_instead_of_losing_them() -> None:
    with pytest.raises(rf.FormatError, match="has no place for tools"):
        rf.render(CONVERSATION, "chatml", variables={"tools": [{"name": "f"}]})


def test_a_template_in_its_own_file_is_probed_as_well(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(PIPES)
    assert model_format(tmp_path / "mine.jinja").stop == ("<|end|>", "<|user|>")
    assert json.dumps(rf.render(CONVERSATION, str(tmp_path / "mine.jinja")).stop) == '["<|end|>", "<|user|>"]'
