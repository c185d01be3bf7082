"""How long a server asks to wait, in each of the forms that servers use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm.transport import retry_after, should_retry

NOW = 1445412480.0  # 21 October 2015, 07:28:00
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"
LATER = "Wed, 21 Oct 2015 07:29:30 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "86400"}, 86400),
        ({"retry-after-ms": "300"}, 0.3),
        ({"retry-after-ms": "300", "retry-after": "7"}, 0.3),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after": LATER}, 90),
        ({"retry-after": DATE}, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:00:00 GMT"}, 0),
        ({"retry-after": LATER, "date": "Wed, 21 Oct 2015 07:29:00 GMT"}, 30),
        ({"retry-after": LATER, "date": "garbage"}, 90),
    ],
)
def test_seconds_milliseconds_and_dates_are_understood(headers, seconds):
    assert retry_after(headers, now=NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "nan", "inf", "-inf", "1e999", "Wed, 99 Oct 2015", "1,5", "\ud800"]
)
def test_what_makes_no_sense_is_ignored(value):
    assert retry_after({"retry-after": value}, now=NOW) is None


@given(st.text())
def test_no_header_raises(value):
    found = retry_after({"retry-after": value, "date": value}, now=NOW)
    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize(
    ("value", "word"), [("true", True), ("FALSE", False), (" false ", False), ("maybe", None), ("", None)]
)
def test_the_servers_own_word_on_retrying(value, word):
    assert should_retry({"x-should-retry": value}) is word
