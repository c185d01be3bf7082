"""What a template's source says about the texts that it can write."""

import pytest

from roleforge_llm.guard.literals import followers, literals, takes_apart


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("a{{ b }}c", ["a", "c"]),
        ("{% if x == 'y' %}z{% endif %}", ["", "z", "", "y"]),
        ("{# '<|' #}a", ["", "a"]),
        ("{{ '}}<|' ~ x }}", ["", "", "}}<|"]),
        ("{{ '%}' }}{% set a = \"it's\" %}", ["", "", "", "%}", "it's"]),
        ("{{ 'a\\n' }}", ["", "", "a\n"]),
    ],
)
def test_texts_outside_and_strings_inside_of_tags(source: str, found: list[str]) -> None:
    assert literals(source) == found


@pytest.mark.parametrize(
    "source",
    [
        "{{ '\\x3c' }}",
        "{{ '\\u003c' }}",
        "{{ '<|%s|>' % x }}",
        "{{ '<|{}|>'.format(x) }}",
        "{{ '<|X|>' | replace('X', x) }}",
        "{{ x | upper }}",
        "{% raw %}{{ <| {% endraw %}",
        "{% filter upper %}{{ x }}{% endfilter %}",
    ],
)
def test_what_could_write_something_else_is_told(source: str) -> None:
    assert literals(source) is None


@pytest.mark.parametrize(
    "source", ["{{ x | trim }}", "{{ x[1:] }}", "{{ x.strip() }}", "{{ f(x) }}", "{{ x | upper }}"]
)
def test_filters_slices_and_calls_take_texts_apart(source: str) -> None:
    assert takes_apart(source)


@pytest.mark.parametrize(
    "source", ["{% set s = ['|'] %}{{ x.y }}{{ x or '' }}{% if x == '(' %}|{% endif %}{# a | b #}"]
)
def test_putting_texts_one_after_the_other_does_not(source: str) -> None:
    assert not takes_apart(source)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("{{ a }}<x>{{ b }}\n{{ c }}\n", "<\n"),
        ("{{ a }}<x>{{ b }} y", "< "),
        ("{{ a }}{{ b }}", None),
        ("{{ a }}{% if x %}y{% endif %}", None),
        ("{{ a }}\n{%- if x %}|>{% endif %}", None),
    ],
)
def test_what_stands_right_behind_what_is_put_in(source: str, found: str | None) -> None:
    assert followers(source) == found
