"""Profiles, samplers, retries and time limits made in code."""

import pickle
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import Profile, RetryConfig, Sampler, Secret, Timeouts
from roleforge_llm.profiles import UnsetVariable, bounds_of, expand, url_warning

BOUNDED = [
    (table, field.name, bounds)
    for table in (Sampler, RetryConfig, Timeouts)
    for field in attrs.fields(table)
    if (bounds := bounds_of(field.type)) is not None
]


@pytest.mark.parametrize(
    ("table", "name", "bounds"), BOUNDED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_bounded_setting_takes_its_ends_and_nothing_beyond(table: type, name: str, bounds: Any) -> None:
    for end in (bounds.low, bounds.high):
        table(**{name: end})
    for beyond in (bounds.low - 1, bounds.high * 2, float("nan"), float("inf"), 10**400):
        with pytest.raises(ValueError, match=f"{name} must be between"):
            table(**{name: beyond})


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        ({}, "chat"),
        ({"template": "alpaca"}, "completions"),
        ({"type": "openai", "template": "alpaca"}, "chat"),
        ({"type": "custom"}, "completions"),
        ({"type": "custom", "endpoint": "chat"}, "chat"),
    ],
)
def test_the_endpoint_follows_from_endpoint_then_type_then_template(settings: dict[str, Any], endpoint: str) -> None:
    assert Profile("a", **settings).effective_endpoint == endpoint


def test_an_empty_key_is_no_key() -> None:
    assert Profile("a", api_key="").key({}) is None
    assert Profile("a", api_key_env="K").key({"K": ""}) is None


@pytest.mark.parametrize("value", ["x", "0.5", True, [1], {}])
def test_a_setting_that_is_no_number_is_an_error_that_names_it(value: Any) -> None:
    with pytest.raises(TypeError, match="temperature must be a number, not"):
        Sampler(temperature=value)


def test_an_unset_variable_is_to_be_set_and_only_a_reference_can_have_a_default() -> None:
    with pytest.raises(UnsetVariable, match=r"K is not set; set it$"):
        Profile("a", api_key_env="K").key({})
    with pytest.raises(UnsetVariable, match=r"K is not set; set it or write \$\{K:-default\}$"):
        Profile("a", api_key="${K}").key({})


@pytest.mark.parametrize(
    ("url", "better"),
    [
        ("http://host:1/v1/chat/completions", "http://host:1/v1"),
        ("http://host:1/v1/completions/?key=k", "http://host:1/v1"),
        ("http://host:1/v1", None),
        ("http://host:1/completions/v1", None),
    ],
)
def test_a_base_url_that_names_what_is_added_to_it_is_odd(url: str, better: str | None) -> None:
    warning = url_warning(url)
    assert (warning and warning.endswith(f"write {better}")) == (better and True)


@given(st.dictionaries(st.sampled_from(["A", "B"]), st.text()), st.text())
def test_text_without_a_dollar_stays_as_it_is(environ: dict[str, str], text: str) -> None:
    assert expand(text.replace("$", ""), environ) == text.replace("$", "")


@given(st.text())
def test_what_a_variable_holds_is_not_expanded_again(value: str) -> None:
    assert expand("<${A}>", {"A": value}) == f"<{value}>"


def test_dollars_and_defaults_follow_the_shell() -> None:
    assert expand("$$ $ $A ${A:-d} ${E:-d} $${A}", {"E": ""}) == "$ $ $A d d ${A}"
    with pytest.raises(UnsetVariable, match="the environment variable A is not set"):
        expand("${A}", {})


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("${A}", True),
        ("Bearer ${A}", True),
        ("${A:-}", True),
        ("${A:-k}", False),
        ("k${A}", False),
        ("$$", False),
        ("k", False),
    ],
)
def test_a_secret_shows_itself_only_where_all_of_it_is_a_reference(text: str, reference: bool) -> None:
    assert Secret(text).is_reference is reference
    assert (text in repr(Secret(text))) is reference


def test_an_unset_variable_survives_pickling() -> None:
    error = UnsetVariable("NOT_SET", default=False)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.name) == (str(error), "NOT_SET")
