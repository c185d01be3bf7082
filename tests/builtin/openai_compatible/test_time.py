"""Time limits hold whatever a server drips, and each has its own kind."""

from __future__ import annotations

import time

import pytest

from roleforge_llm import Timeout, Timeouts
from roleforge_llm.testing import Pause, Stream
from roleforge_llm.testing.answers import piece

NONE = Timeouts(connect=None, first_token=None, idle=None, attempt=None)
DRIPS = {
    "a server that says nothing": ("read_timeout", False),
    "dripped headers": ("slow_headers", False),
    "a dripped body": ("slow_body", False),
    "a body that stops": ("stall_mid_body", False),
    "comments for ever": ("sse_keepalive_forever", True),
    "a stream that stops": ("sse_stall", True),
    "a stream that never begins": ("sse_stall_first", True),
    "text for ever": (Stream((piece("x ") for _ in range(100_000)), delay=0.02), True),
    "an error whose body never ends": ("500_slow_body", False),
    "a connection that is never accepted": ("conn_timeout", False),
    "a server without TLS": ("tls_to_plain", False),
}


def test_the_deadline_of_the_call_is_kept_within_a_second_whatever_comes(server, backend, request_to, outcomes):
    began = time.monotonic()
    requests = [
        request_to(
            server.url(fault) if isinstance(fault, str) else server.session([fault]).base_url,
            stream=stream,
            timeouts=NONE,
            deadline=time.monotonic() + 1,
        )
        for fault, stream in DRIPS.values()
    ]
    seen = outcomes(backend, requests)
    assert time.monotonic() - began < 2
    kinds = {name: outcome.error.kind for name, outcome in zip(DRIPS, seen, strict=True)}
    expected = dict.fromkeys(DRIPS, "total") | {
        "an error whose body never ends": "status",
        "a server without TLS": "tls",
    }
    assert kinds == expected


@pytest.mark.parametrize(
    ("fault", "stream", "limits", "kind"),
    [
        ("conn_timeout", False, {"connect": 0.3}, "connect"),
        ("read_timeout", False, {"first_token": 0.3}, "first-token"),
        ("slow_headers", False, {"first_token": 0.3}, "first-token"),
        ("sse_stall_first", True, {"first_token": 0.3}, "first-token"),
        ("sse_stall", True, {"idle": 0.3}, "idle"),
        ("sse_keepalive_forever", True, {"idle": 0.3}, "idle"),
        ("stall_mid_body", False, {"idle": 0.3}, "idle"),
        ("slow_body", False, {"attempt": 0.3}, "attempt"),
    ],
)
def test_each_limit_ends_the_wait_with_its_own_kind(server, backend, request_to, outcome, fault, stream, limits, kind):
    began = time.monotonic()
    limits = Timeouts(**{"connect": 5, "first_token": 5, "idle": 5, "attempt": 5, **limits})
    error = outcome(backend, request_to(server.url(fault), stream=stream, timeouts=limits)).error
    assert isinstance(error, Timeout)
    assert error.kind == kind
    assert time.monotonic() - began < 1.3


def test_the_first_token_may_take_longer_than_those_that_follow(server, backend, request_to, outcome):
    slow_start = Stream([b": still reading the prompt\n\n", piece("a"), piece("b", "stop")], delay=0.4)
    request = request_to(server.session([slow_start]).base_url, stream=True, timeouts=Timeouts(first_token=5, idle=0.6))
    assert outcome(backend, request).text == "ab"


def test_the_time_that_the_caller_takes_is_not_the_servers(server, backend, request_to):
    session = server.session([Stream([piece("a"), piece("b", "stop")], then=(Pause(5),))])
    chunks = backend.stream(request_to(session.base_url, stream=True, timeouts=Timeouts(idle=0.2)))
    first = next(chunks)
    time.sleep(0.4)  # the caller is busy: the claim is about time itself
    assert first.text + "".join(chunk.text for chunk in chunks) == "ab"


def test_a_complete_reply_is_not_held_up_by_a_connection_that_stays_open(server, backend, request_to, outcomes):
    began = time.monotonic()
    names = ("sse_stall_after_finish", "sse_no_end_after_done")
    seen = outcomes(backend, [request_to(server.url(name), stream=True) for name in names])
    assert [outcome.text for outcome in seen] == ["one two three four"] * 2
    assert time.monotonic() - began < 2
