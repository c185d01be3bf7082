"""Formats of a folder: listed by their first lines, parsed when they are rendered."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import Conversation, Message, TemplateError, TemplateFormat
from roleforge_llm.formats import packaged_formats
from roleforge_llm_builtin.formats import TEMPLATES

HELLO = Conversation((Message("user", "Hello."),))


@pytest.fixture
def only(tmp_path):
    def only(text):
        (tmp_path / "mine.jinja").write_text(text, encoding="utf-8")
        (form,) = packaged_formats(tmp_path)
        assert form == TemplateFormat.from_file(tmp_path / "mine.jinja", dialect="native")
        return form

    return only


def test_the_names_are_those_of_the_files_in_order():
    assert [form.name for form in packaged_formats(TEMPLATES)] == ["alpaca", "chatml", "llama2", "vicuna"]


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.jinja")), ids=lambda path: path.stem)
def test_a_built_in_format_is_what_the_whole_parser_reads(path):
    assert TemplateFormat.from_file(path) in packaged_formats(TEMPLATES)


@pytest.mark.parametrize(
    "text",
    [
        '{% set stop_sequence = ["</s>", "", "</s>"] %}\n{{ user_message }}',
        '{% set reply_prefix = "\\n\\t\\"\\\\" %}\n{% set stop_sequence = [] %}\n{{ user_message }}',
        "{% set stop_sequence = ['</s>'] %}\n{{ user_message }}",
        '{%- set stop_sequence = ["</s>"] -%}\n{{ user_message }}',
        '{% set stop_sequence = ["\\u00e9", "\\x41"] %}\n{{ user_message }}',
        '{{ user_message }}\n{% set stop_sequence = ["</s>"] %}',
        '{% set bos = "template" %}\n{% set system_turns = "none" %}\n{% set stop_sequence = ("a" "b",) %}\n',
        '{% set mine = "x" %}\n{% set stop_sequence = ["</s>"] %}\n{{ user_message }}',
    ],
)
def test_metadata_means_the_same_however_it_is_written(only, text):
    assert only(text)


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=20))
def test_any_text_means_the_same(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("templates")
    written = json.dumps([value], ensure_ascii=False)
    (folder / "mine.jinja").write_text(
        f"{{% set stop_sequence = {written} %}}\n{{{{ user_message }}}}", encoding="utf-8"
    )
    assert packaged_formats(folder) == [TemplateFormat.from_file(folder / "mine.jinja", dialect="native")]


def test_wrong_metadata_is_an_error_at_once(tmp_path):
    (tmp_path / "mine.jinja").write_text('{% set stop_sequence = "</s>" %}\n')
    with pytest.raises(TemplateError, match="must be a list of texts"):
        packaged_formats(tmp_path)


def test_wrong_syntax_below_is_an_error_of_rendering(tmp_path):
    (tmp_path / "mine.jinja").write_text('{% set stop_sequence = ["</s>"] %}\n{% if %}\n')
    (form,) = packaged_formats(tmp_path)
    assert form.stop == ("</s>",)
    with pytest.raises(TemplateError, match=r"mine\.jinja:2"):
        form.render(HELLO)
