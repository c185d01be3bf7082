"""Keeping secrets out of what is shown."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import Timeouts
from roleforge_llm.transport import Call, Mask, one_line, origin_of

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=6).filter(lambda text: "*" not in text)
# The part after a space is masked alone, too: one of a letter or two would be found in any text.
SECRETS = SECRETS.filter(lambda text: not 0 < len(text.partition(" ")[2]) < 6)


@given(SECRETS, st.sampled_from([str, lambda text: json.dumps(text)[1:-1], quote, lambda text: quote(text, safe="")]))
def test_a_secret_is_masked_in_every_form_in_which_it_may_come_back(secret, form):
    assert Mask([secret])(f"before {form(secret)} after") == "before *** after"


def test_the_longer_secret_is_masked_first():
    assert Mask(["sk-1", "sk-1234"])("sk-1234 sk-1") == "*** ***"


def test_the_part_after_a_scheme_is_masked_alone_too():
    assert Mask(["Bearer sk-1"])("got sk-1") == "got ***"


def test_nothing_is_masked_without_secrets():
    assert Mask(["", " "])("text") == "text"


@pytest.mark.parametrize("value", ["sk-123", "a+b/c", "a b"])
@pytest.mark.parametrize("form", [quote, quote_plus])
def test_values_in_the_query_of_an_address_are_secrets(value, form):
    call = Call(f"http://host/v1?api-key={form(value)}", Timeouts())
    assert call.mask(f"{value} {form(value)}") == "*** ***"
    assert value not in call.origin


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://user:pass@Host:8443/v1?key=1#x", "https://host:8443"),
        ("http://[::1]:80/v1", "http://[::1]:80"),
        ("http://host", "http://host"),
        ("http://host:99999", "an unreadable address"),
    ],
)
def test_of_an_address_only_the_origin_is_shown(url, origin):
    assert origin_of(url) == origin


@given(st.text(), st.integers(2, 50))
def test_shown_text_is_one_printable_line_of_bounded_length(text, limit):
    shown = one_line(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    shown.encode()
