"""The guarded environment: what each dialect understands, and that every failure is an error of ours."""

from datetime import date
from typing import Any

import pytest

from roleforge_llm import FormatError, TemplateError
from roleforge_llm.sandbox import Dialect, parse, plain, render_template


def hf(text: str) -> str:
    return render_template("hf", text, "model.jinja", {})


def native(text: str) -> str:
    return render_template("native", text, "mine.jinja", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
        ("x\n", "x"),
        ("[{{ nothing }}]", "[]"),
        (
            "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "02",
        ),
        ("{% generation %}a{{ 1 + 1 }}{% endgeneration %}b", "a2b"),
        ("{% for x in ['a', 'b'] %}{% generation %}{{ x }}{{ loop.index }}{% endgeneration %}{% endfor %}", "a1b2"),
        ("{% set ns = namespace(n=0) %}{% for x in [1, 2] %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}", "3"),
        ("{{ {'b': '<é&>', 'a': 1} | tojson }}", '{"b": "<é&>", "a": 1}'),
        ("{{ {'b': 'é', 'a': 1} | tojson(ensure_ascii=True, sort_keys=True) }}", '{"a": 1, "b": "\\u00e9"}'),
        ("{{ {'a': [1]} | tojson(indent=2) }}", '{\n  "a": [\n    1\n  ]\n}'),
        ("{{ {'a': [1, 2]} | tojson(separators=(',', ':')) }}", '{"a":[1,2]}'),
        ("{% for a, b in {'x': 1}.items() %}{{ a ~ b }}{% endfor %}", "x1"),
        ("{{ 'a b'.split()[::-1] | join('-') }}{{ ' x '.strip() }}", "b-ax"),
        ("{% macro turn(role, text='-') %}<{{ role }}>{{ text }}{% endmacro %}{{ turn('user') }}", "<user>-"),
        ("{% set x %}\n y{% endset %}[{{ x | trim }}]", "[y]"),
        ("{% filter upper %}a{% endfilter %}", "A"),
        ("{% for x in [1, 2, 3] %}{{ loop.previtem }}{{ loop.nextitem }};{% endfor %}", "2;13;2;"),
        ("{{ '<b>' }}", "<b>"),
    ],
)
def test_a_models_own_template_may_use(text: str, expected: str) -> None:
    assert hf(text) == expected


def test_the_date_of_today_is_at_hand_for_a_models_own_template() -> None:
    assert date.fromisoformat(hf("{{ strftime_now('%Y-%m-%d') }}"))


def test_what_a_template_raises_on_purpose_keeps_its_text() -> None:
    with pytest.raises(TemplateError, match=r"^model\.jinja:2: Roles must alternate!$"):
        hf("{% if true %}\n{{ raise_exception('Roles must alternate!') }}{% endif %}")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{{ nothing.deeper }}", "'nothing' is undefined"),
        ("{{ 'a' + 1 }}", "TypeError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ [1].append(2) }}", "unsafe"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ {}['a']['b'] }}", "has no"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "call themselves too deeply"),
        ("{{ 'x' * 10 ** 15 }}", "too much memory"),
        ("{{ print | tojson }}", "TypeError"),
    ],
)
@pytest.mark.parametrize("dialect", ["native", "hf"])
def test_whatever_goes_wrong_in_a_template_is_an_error_of_ours_with_file_and_line(
    dialect: Dialect, text: str, complaint: str
) -> None:
    with pytest.raises(TemplateError, match=r"^some\.jinja:3: ") as caught:
        render_template(dialect, f"1\n2\n{text}", "some.jinja", {})
    assert complaint in str(caught.value) or "undefined" in str(caught.value)


@pytest.mark.parametrize(
    "tag",
    [
        "{% include 'x' %}",
        "{% import 'x' as x %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% autoescape true %}{% endautoescape %}",
        "{% set ns._x = 1 %}",
    ],
)
@pytest.mark.parametrize("dialect", ["native", "hf"])
def test_a_template_can_neither_load_another_nor_set_private_names(dialect: Dialect, tag: str) -> None:
    with pytest.raises(TemplateError, match=r"^some\.jinja:2: .* not available"):
        parse(dialect, f"one\n{tag}", "some.jinja")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{% if %}", "Expected an expression"), ("{{ x | nofilter }}", "nofilter"), ("{% nosuch %}", "nosuch")],
)
def test_a_template_that_cannot_be_compiled_is_an_error_with_file_and_line(text: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=r"^mine\.jinja:2: ") as caught:
        native(f"one\n{text}")
    assert complaint in str(caught.value)


def test_a_template_nested_beyond_reason_is_an_error() -> None:
    with pytest.raises(TemplateError, match=r"mine\.jinja"):
        native("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}")


@pytest.mark.parametrize("tag", ["{% for x in [1] %}{% break %}{% endfor %}", "{% generation %}{% endgeneration %}"])
def test_native_templates_have_no_loop_controls(tag: str) -> None:
    with pytest.raises(TemplateError, match="unknown tag"):
        native(tag)


def test_a_native_template_keeps_the_indent_before_a_tag() -> None:
    assert native("  {% if true %}\nx\n{% endif %}\n") == "  x\n"


def test_plain_data_is_copied_and_nothing_of_the_original_is_kept() -> None:
    class Text(str):
        __slots__ = ()

    original = {"a": [Text("x"), (1, 2.5, True, None)]}
    copy: Any = plain(original, "it")
    assert copy == {"a": ["x", [1, 2.5, True, None]]}
    assert copy["a"] is not original["a"]
    assert type(copy["a"][0]) is str


@pytest.mark.parametrize("value", [object(), {1: 2}, [print], b"x", {1, 2}])
def test_anything_else_is_no_plain_data(value: object) -> None:
    with pytest.raises(FormatError, match=r"^it "):
        plain(value, "it")


def test_data_that_contains_itself_is_an_error() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(FormatError, match="contains itself"):
        plain(loop, "it")
