"""Every fault through the whole client: with one profile, with a fallback, and on an endpoint that can continue."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import FaultServer, Stream, no_waiting
from roleforge_llm.testing.answers import DONE, piece

HELLO = [{"role": "user", "content": "Hello"}]
TIMEOUTS = {"connect": 0.8, "firstToken": 0.8, "idle": 0.6, "attempt": 1.2}
PATIENT = {"firstToken": 30, "idle": 30, "attempt": 60}
LARGE = {"huge_body", "gzip_bomb", "sse_infinite", "sse_huge_line", "500_big"}
REST = Stream([piece("and the rest"), piece(finish_reason="stop"), DONE])


class Played:
    """One fault, played to one client."""

    def __init__(self, server: FaultServer, row, *, backup: bool, endpoint: str = "chat") -> None:
        self.row = row
        name = row["id"]
        reached = name not in server.connection_faults
        script = [name, REST] if endpoint == "completions" else [name]
        self.main = server.session(script) if reached else None
        self.backup = server.session("ok")
        profile = {
            "baseURL": self.main.base_url if self.main else server.url(name),
            "apiKey": "sk-canary",
            "endpoint": endpoint,
            "timeouts": PATIENT if name in LARGE else TIMEOUTS,
            "retryConfig": {"maxRetries": 2},
            "fallbackProfiles": ["backup"] if backup else [],
            "sampler": {"stop": ["<|im_end|>", "<|im_start|>"]},
        }
        backup_profile = {"baseURL": self.backup.base_url, "endpoint": endpoint}
        self.config = parse_config({"profiles": {"main": profile, "backup": backup_profile}})
        self.completion: rf.Completion | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        with rf.Client(self.config) as client:
            try:
                if self.row["mode"] == "chat":
                    self.completion = client.complete(HELLO)
                else:
                    with client.stream(HELLO) as stream:
                        self.text = "".join(stream)
                    self.completion = stream.completion
            except Exception as error:
                self.error = error

    async def arun(self) -> None:
        async with rf.AsyncClient(self.config) as client:
            try:
                if self.row["mode"] == "chat":
                    self.completion = await client.complete(HELLO)
                else:
                    async with client.stream(HELLO) as stream:
                        self.text = "".join([text async for text in stream])
                    self.completion = stream.completion
            except Exception as error:
                self.error = error

    @property
    def attempts(self) -> list[str]:
        found = self.completion if self.completion is not None else self.error
        return [attempt.profile for attempt in found.attempts]


def _play(how: str, played: list[Played]) -> None:
    if how == "sync":
        with ThreadPoolExecutor(40) as pool:
            list(pool.map(Played.run, played))
    else:

        async def play() -> None:
            await asyncio.gather(*(one.arun() for one in played))

        asyncio.run(play())


@pytest.fixture(scope="module", params=["sync", "async"])
def how(request):
    return request.param


@pytest.fixture(scope="module")
def calls(how, rows):
    """All calls by fault and by variant. They wait side by side; the large ones come alone."""
    found = {}
    with FaultServer() as server, no_waiting():
        for row in rows:
            found[row["id"], "single"] = Played(server, row, backup=False)
            found[row["id"], "backup"] = Played(server, row, backup=True)
            if row["action"] == "resume" and row["id"] not in LARGE:
                found[row["id"], "continued"] = Played(server, row, backup=False, endpoint="completions")
        _play(how, [played for (name, _), played in found.items() if name not in LARGE])
        for (name, _), played in found.items():
            if name in LARGE:
                _play(how, [played])
        assert server.leaked == []
        yield found


def test_one_profile_retries_what_a_retry_can_cure_and_nothing_else(row, calls):
    played = calls[row["id"], "single"]
    if row["action"] == "ok":
        _check_reply(played)
        return
    attempts = 3 if row["action"] == "retry" else 1
    assert isinstance(played.error, rf.AllProfilesFailed), repr(played.error)
    assert played.attempts == ["main"] * attempts
    assert type(played.error.errors[-1]).__name__ == row["error"]
    if played.main is not None:
        assert played.main.count == attempts
    if "partial_from" not in row:
        assert played.error.partial == row.get("partial", "")


def test_with_a_fallback_the_reply_comes_from_there_unless_text_was_handed_out(row, calls):
    played = calls[row["id"], "backup"]
    if row["action"] == "ok":
        _check_reply(played)
        assert played.backup.count == 0
    elif row["action"] == "resume":
        assert isinstance(played.error, rf.AllProfilesFailed), repr(played.error)
        assert played.backup.count == 0
        assert played.error.partial.startswith(row.get("partial_from") or row["partial"])
    else:
        assert played.error is None
        assert played.attempts == ["main"] * (3 if row["action"] == "retry" else 1) + ["backup"]
        assert played.completion.text == ("hello world" if row["mode"] == "chat" else "one two three four")


def test_a_broken_stream_goes_on_where_it_broke_if_the_endpoint_takes_text(row, calls):
    played = calls.get((row["id"], "continued"))
    if played is None:
        pytest.skip("no text was handed out before this fault")
    assert played.error is None, repr(played.error)
    assert played.text == played.completion.text == row["partial"] + "and the rest"
    assert [str(request.json["prompt"]).endswith(row["partial"]) for request in played.main.requests] == [False, True]


def _check_reply(played: Played) -> None:
    row = played.row
    assert played.error is None, repr(played.error)
    assert played.completion.text == row.get("cut_text", row["text"])
    finish = "stop" if "cut_text" in row else row["finish_reason"]
    assert played.completion.finish_reason == finish
    assert bool(played.completion.warnings) == (row.get("flagged", False) or not row["text"])
    assert played.attempts == ["main"]
    assert played.main.count == 1
