"""With a key that must never be seen, over every fault: not in errors, tracebacks, logs or pickles."""

from __future__ import annotations

import logging
import pickle
import traceback

import pytest

from roleforge_llm import RateLimited, Secret, Timeouts
from roleforge_llm.testing import FaultServer, Reply, Stream
from roleforge_llm.testing.answers import piece
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend

LIMITS = Timeouts(connect=0.3, first_token=0.3, idle=0.3, attempt=0.6)
HEADER = "header-canary-0123456789"
QUERY = "query-canary/0123456789"
LARGE = {"huge_body", "gzip_bomb", "sse_infinite", "sse_huge_line"}


def echo(status):
    """A server that shows all it was sent, in the body and in a header."""

    def answer(request):
        shown = f"{request.path} {dict(request.headers)}"
        headers = {"x-request-id": request.headers["authorization"], "x-echo": shown}
        return Reply(status, {"error": {"message": shown, "code": shown}}, headers=headers)(request)

    return answer


def echo_in_stream(request):
    shown = f"{request.path} {dict(request.headers)}"
    return Stream([piece("one "), {"error": {"message": shown}}], headers={"x-echo": shown})(request)


ECHOES = {
    **{f"echo {status}": (echo(status), False) for status in (200, 400, 401, 404, 429, 500, 503)},
    "echo redirect": (
        lambda request: Reply(307, headers={"location": request.path + "&" + request.headers["authorization"]})(
            request
        ),
        False,
    ),
    "echo html": (lambda request: Reply(500, body=f"<html>{dict(request.headers)}".encode())(request), False),
    "echo in stream": (echo_in_stream, True),
}


@pytest.fixture
def log():
    """Every record of every logger at DEBUG, as it would be written, tracebacks included."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record):
            lines.append(self.format(record))
            lines.append(repr(record.args))

    handler, root = Keep(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "openai", "httpx2", "httpcore2", "asyncio")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield lines
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def shown(error: BaseException) -> str:
    """All that a curious application could print of *error* and of what it came from."""
    found, waiting, seen = [], [error], set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        found += [
            str(one),
            repr(one),
            repr(one.args),
            repr(getattr(one, "__dict__", "")),
            *traceback.format_exception(one),
        ]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(found)


def test_no_fault_shows_a_key_a_header_or_a_query(rows, request_to, key, log, outcomes):
    with FaultServer() as server:
        faults = {row["id"]: (server.url(row["id"]), row["mode"] == "stream") for row in rows if row["id"] not in LARGE}
        faults |= {name: (server.session([answer]).base_url, stream) for name, (answer, stream) in ECHOES.items()}
        headers = {"X-Api-Key": Secret(HEADER), "X-Other": Secret(f"Token {HEADER}")}
        requests = [
            request_to(f"{url}?key={QUERY}", stream=stream, timeouts=LIMITS, headers=headers)
            for url, stream in faults.values()
        ]
        backend = OpenAICompatibleBackend()
        seen = outcomes(backend, requests)
        backend.close()
    texts = {"log": "\n".join(log)}
    for name, outcome in zip(faults, seen, strict=True):
        if outcome.error is not None:
            texts[name] = shown(outcome.error) + repr(pickle.dumps(outcome.error))
        else:
            texts[name] = repr(outcome.reply) + repr(pickle.dumps(outcome.reply))
    canaries = (key, HEADER, QUERY, QUERY.replace("/", "%2F"))
    assert {name: [canary for canary in canaries if canary in text] for name, text in texts.items()} == {
        name: [] for name in texts
    }
    assert len(log) > len(faults), "the libraries wrote their debug lines"


def test_what_a_pickle_keeps_of_an_error_is_all_of_it(server, backend, request_to):
    with pytest.raises(RateLimited) as caught:
        backend.complete(request_to(server.url("429_ra_1s")))
    error = pickle.loads(pickle.dumps(caught.value))
    assert (type(error), str(error), error.retry_after) == (type(caught.value), str(caught.value), 1.0)


@pytest.mark.parametrize("fault", ["redirect_other", "redirect_port", "redirect_302", "redirect_loop"])
def test_no_redirect_is_followed(request_to, backend, outcome, fault):
    with FaultServer([fault]) as server:
        url = server.base_url
        error = outcome(backend, request_to(url)).error
        assert (error.kind, server.count, server.leaked) == ("redirect", 1, [])
