"""What a template says about itself, and which dialect it is written in."""

import pytest

from roleforge_llm import TemplateError, TemplateFormat
from roleforge_llm.sandbox import Dialect


def form(text: str, dialect: Dialect | None = None, filename: str | None = None) -> TemplateFormat:
    return TemplateFormat.from_text("mine", text, dialect=dialect, filename=filename)


def test_all_metadata_is_read_without_rendering() -> None:
    made = form(
        '{% set stop_sequence = ["</s>", "\\nUSER:"] %}\n'
        '{% set control_tokens = ("<a>", "<b>") %}\n'
        '{% set reply_prefix = " " %}{% set reply_suffix = "\\n" %}\n'
        '{% set system_turns = "first" %}{% set bos = "template" %}\n'
        '{% set source = "own" %}{% set description = "for tests" %}\n'
        "{{ raise_exception('never run') }}"
    )
    assert made.stop == ("</s>", "\nUSER:")
    assert made.control_tokens == ("<a>", "<b>")
    assert (made.reply_prefix, made.reply_suffix) == (" ", "\n")
    assert (made.system_turns, made.bos) == ("first", "template")
    assert (made.source, made.description) == ("own", "for tests")


def test_without_metadata_there_are_defaults() -> None:
    made = form("{{ user_message }}")
    assert (made.stop, made.control_tokens, made.reply_prefix, made.reply_suffix) == ((), (), "", "")
    assert (made.system_turns, made.bos, made.source, made.description) == ("any", "server", "", "")


def test_empty_and_repeated_stop_sequences_are_dropped() -> None:
    assert form('{% set stop_sequence = ["a", "", "b", "a"] %}').stop == ("a", "b")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{% set stop_sequence = "</s>" %}', "stop_sequence must be a list of texts"),
        ("{% set stop_sequence = [1] %}", "stop_sequence must hold nothing but texts, not 1"),
        ('{% set stop_sequence = ["a" ~ "b"] %}', "stop_sequence must be written out"),
        ('{% set stop_sequence = [] %}\n{% set reply_prefix = ["x"] %}', "2: reply_prefix must be a text"),
        ('{% set stop_sequence = [] %}{% set bos = "me" %}', 'bos must be one of "server", "template", not \'me\''),
        ("{% set stop_sequence = [] %}{% set system_turns = none %}", "system_turns must be one of"),
    ],
)
def test_metadata_of_the_wrong_type_is_an_error_with_file_and_line(line: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=r"^mine\.jinja:\d: ") as caught:
        form(line, filename="mine.jinja")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{% set stop_sequence = [] %}{% for message in messages %}{{ message.content }}{% endfor %}",
        "{{ system_prompt }}",
        "{% for turn in history %}{{ turn.content }}{% endfor %}",
        "{% if true %}{{ user_message }}{% endif %}",
        "{{ assistant_message }}",
        '{% set system_prompt = system_prompt or "Be kind." %}{{ system_prompt }}',
    ],
)
def test_a_template_that_uses_what_only_native_ones_are_given_is_native(text: str) -> None:
    assert form(text).dialect == "native"


@pytest.mark.parametrize(
    "text",
    [
        "{% for message in messages %}{{ message.content }}{% endfor %}",
        '{% if messages[0].role == "system" %}{% set system_prompt = messages[0].content %}{% endif %}{{ system_prompt }}',
        "{% macro turn(user_message) %}{{ user_message }}{% endmacro %}{{ turn('x') }}",
        "{% for x in messages %}{% break %}{% endfor %}",
        "plain text",
    ],
)
def test_any_other_template_is_a_models_own(text: str) -> None:
    assert form(text).dialect == "hf"


def test_the_dialect_can_be_given() -> None:
    assert form("plain text", dialect="native").dialect == "native"
    assert form("{{ history }}", dialect="hf").dialect == "hf"


def test_a_models_own_template_may_use_our_words_for_its_own_variables() -> None:
    assert form("{% set bos = bos_token %}{{ bos }}{{ messages[0].content }}").bos == "server"
