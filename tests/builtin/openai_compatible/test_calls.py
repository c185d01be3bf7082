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
ALONE = {*LARGE, "stale_keepalive"}
REST = Stream([piece("and the rest"), piece(finish_reason="stop"), DONE])


class Played:
    """One fault in front of one profile."""

    def __init__(self, server: FaultServer, row, variant: str) -> None:
        name = row["id"]
        self.row = row
        self.name = f"{name} {variant}"
        self.endpoint = "completions" if variant == "continued" else "chat"
        self.main = None
        if name not in server.connection_faults:
            self.main = server.session([name, REST] if variant == "continued" else [name])
        self.backup = server.session("ok") if variant == "backup" else None
        self.url = self.main.base_url if self.main is not None else server.url(name)
        self.text = ""
        self.completion: rf.Completion | None = None
        self.error: Exception | None = None

    def profiles(self):
        """The profiles that this one needs, in the schema of a configuration."""
        main = {
            "baseURL": self.url,
            "apiKey": "sk-canary",
            "endpoint": self.endpoint,
            "timeouts": TIMEOUTS if self.row.get("hangs") else PATIENT,
            "retryConfig": {"maxRetries": 2},
            "sampler": {"stop": ["<|im_end|>", "<|im_start|>"]},
        }
        if self.backup is None:
            return {self.name: main}
        main["fallbackProfiles"] = [f"{self.name}'s other"]
        return {self.name: main, f"{self.name}'s other": {"baseURL": self.backup.base_url}}

    def run(self, client: rf.Client) -> None:
        try:
            if self.row["mode"] == "chat":
                self.completion = client.complete(HELLO, self.name)
            else:
                with client.stream(HELLO, self.name) as stream:
                    self.text = "".join(stream)
                self.completion = stream.completion
        except Exception as error:
            self.error = error

    async def arun(self, client: rf.AsyncClient) -> None:
        try:
            if self.row["mode"] == "chat":
                self.completion = await client.complete(HELLO, self.name)
            else:
                async with client.stream(HELLO, self.name) as stream:
                    self.text = "".join([text async for text in stream])
                self.completion = stream.completion
        except Exception as error:
            self.error = error

    @property
    def attempts(self) -> list[str]:
        found = self.completion if self.completion is not None else self.error
        return [attempt.profile.removeprefix(self.name) for attempt in found.attempts]


def _variants(row) -> tuple[str, ...]:
    return ("single", "backup", "continued") if row.get("partial") else ("single", "backup")


def _play(config, played: list[Played]) -> None:
    with rf.Client(config) as client, ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda one: one.run(client), played))


async def _aplay(config, played: list[Played]) -> None:
    places = asyncio.Semaphore(40)

    async def play(one: Played) -> None:
        async with places:
            await one.arun(client)

    async with rf.AsyncClient(config) as client:
        await asyncio.gather(*map(play, played))


@pytest.fixture(scope="module", params=["sync", "async"])
def calls(request, rows):
    """All calls by fault and by variant. They wait side by side; large ones, and one that leaves a bad connection, come alone."""
    with FaultServer() as server, no_waiting():
        played = [Played(server, row, variant) for row in rows for variant in _variants(row)]
        config = parse_config({"profiles": {name: table for one in played for name, table in one.profiles().items()}})
        alone = [[one] for one in played if one.row["id"] in ALONE]
        for group in ([one for one in played if one.row["id"] not in ALONE], *alone):
            if request.param == "sync":
                _play(config, group)
            else:
                asyncio.run(_aplay(config, group))
        assert server.leaked == []
    return {one.name: one for one in played}


def test_one_profile_retries_what_a_retry_can_cure_and_nothing_else(row, calls):
    played = calls[f"{row['id']} single"]
    if row["action"] == "ok":
        _check_reply(played)
        return
    attempts = _attempts(played)
    assert isinstance(played.error, rf.AllProfilesFailed), repr(played.error)
    assert played.attempts == [""] * attempts
    assert type(played.error.errors[-1]).__name__ == row["error"]
    if played.main is not None and row["action"] != "wait":
        assert played.main.count == attempts
    if "partial_from" not in row:
        assert played.error.partial == row.get("partial", "")


def test_with_a_fallback_the_reply_comes_from_there_unless_text_was_handed_out(row, calls):
    played = calls[f"{row['id']} backup"]
    if row["action"] == "ok":
        _check_reply(played)
        assert played.backup.count == 0
    elif row["action"] == "resume":
        assert isinstance(played.error, rf.AllProfilesFailed), repr(played.error)
        assert played.backup.count == 0
        assert played.error.partial.startswith(row.get("partial_from") or row["partial"])
    else:
        assert played.error is None
        assert played.attempts == [""] * _attempts(played) + ["'s other"]
        assert played.completion.text == ("hello world" if row["mode"] == "chat" else "one two three four")


def test_a_broken_stream_goes_on_where_it_broke_if_the_endpoint_takes_text(breaking_row, calls):
    played, partial = calls[f"{breaking_row['id']} continued"], breaking_row["partial"]
    assert played.error is None, repr(played.error)
    assert played.text == played.completion.text == partial + "and the rest"
    assert [str(request.json["prompt"]).endswith(partial) for request in played.main.requests] == [False, True]


def _attempts(played: Played) -> int:
    if played.row["action"] == "wait":
        # A model that is being loaded is waited for on a budget of its own.
        return len(played.attempts) - (played.backup is not None)
    return 3 if played.row["action"] == "retry" else 1


def _check_reply(played: Played) -> None:
    row = played.row
    assert played.error is None, repr(played.error)
    assert played.completion.text == row.get("cut_text", row["text"])
    finish = "stop" if "cut_text" in row else row["finish_reason"]
    assert played.completion.finish_reason == finish
    assert bool(played.completion.warnings) == (row.get("flagged", False) or not row["text"])
    assert played.attempts == [""]
    assert played.main.count == 1
