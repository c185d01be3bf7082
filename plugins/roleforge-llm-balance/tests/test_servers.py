"""Three real servers, one of them killed under load: no call is lost, and each server has its share."""

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import pytest

import roleforge_llm as rf

from .conftest import Clock, Relay, Server  # type: ignore[import-not-found]  # beside this file

WEIGHTS = {"a": 3, "b": 2, "c": 1}
WORKERS = 8
REST = 10
IN_THREADS, IN_TASKS = 300, 60

Case: TypeAlias = tuple[list[dict[str, str]], str]
Run: TypeAlias = Callable[..., list[rf.Completion]]


def case(number: int) -> Case:
    """A conversation, each another one than its neighbours, and the reply that the model was trained to give."""
    turns, system = number % 2 + 1, number % 3 == 0
    replies = [f"Hello from chatml. Turn {n}. System: {'yes' if system else 'no'}." for n in range(1, turns + 1)]
    messages = [{"role": "system", "content": "Be brief."}] if system else []
    for reply in replies:
        messages += [{"role": "user", "content": "Tell me more."}, {"role": "assistant", "content": reply}]
    return messages[:-1], replies[-1]


def pool(urls: Sequence[str], **options: Any) -> dict[str, Any]:
    """The configuration of one pool, as a file would have it."""
    profiles = {
        name: {
            "baseURL": f"{url}/v1",
            "template": "chatml",
            "sampler": {"temperature": 0, "maxTokens": 100},
            "failurePolicy": "balance",
        }
        for name, url in zip(WEIGHTS, urls, strict=True)
    }
    profiles["a"] |= {"fallbackProfiles": ["b", "c"], "policyOptions": {"rest": REST, **options}}
    return {"profiles": profiles}


def shares(completions: Sequence[rf.Completion]) -> dict[str, int]:
    return dict(sorted(Counter(completion.profile for completion in completions).items()))


def within_a_tenth(completions: Sequence[rf.Completion], **weights: int) -> bool:
    """Whether each server gave its share of the replies, to a tenth of that share or to one reply."""
    found, total = shares(completions), sum(weights.values())
    wanted = {name: len(completions) * weight / total for name, weight in weights.items()}
    assert found.keys() == weights.keys()
    return all(abs(found[name] - wanted[name]) <= max(1, wanted[name] / 10) for name in wanted)


def in_threads(client: rf.Client) -> Run:
    """Runs *count* calls in eight threads, every other one streamed; *at_piece* is told of each piece's profile."""

    def call(number: int, at_piece: Callable[[str], None]) -> rf.Completion:
        messages, reply = case(number)
        if number % 2:
            completion = client.complete(messages)
        else:
            with client.stream(messages) as stream:
                pieces = []
                for piece in stream:
                    pieces.append(piece)
                    at_piece(stream.completion.profile)
            completion = stream.completion
            assert "".join(pieces) == reply
        assert completion.text == reply
        return completion

    def run(count: int, at_piece: Callable[[str], None] = lambda _: None) -> list[rf.Completion]:
        with ThreadPoolExecutor(WORKERS) as threads:
            return list(threads.map(call, range(count), itertools.repeat(at_piece)))

    return run


def in_tasks(client: rf.AsyncClient, loop: asyncio.Runner) -> Run:
    """The same in eight tasks of asyncio."""

    async def call(number: int, at_piece: Callable[[str], None]) -> rf.Completion:
        messages, reply = case(number)
        if number % 2:
            completion = await client.complete(messages)
        else:
            pieces = []
            async with client.stream(messages) as stream:
                async for piece in stream:
                    pieces.append(piece)
                    at_piece(stream.completion.profile)
            completion = stream.completion
            assert "".join(pieces) == reply
        assert completion.text == reply
        return completion

    async def work(numbers: Iterator[int], at_piece: Callable[[str], None]) -> list[rf.Completion]:
        return [await call(number, at_piece) for number in numbers]

    async def all_of_them(count: int, at_piece: Callable[[str], None]) -> list[rf.Completion]:
        numbers = iter(range(count))
        done = await asyncio.gather(*(work(numbers, at_piece) for _ in range(WORKERS)))
        return list(itertools.chain.from_iterable(done))

    def run(count: int, at_piece: Callable[[str], None] = lambda _: None) -> list[rf.Completion]:
        return loop.run(all_of_them(count, at_piece))

    return run


@pytest.fixture
def run(calls: int, servers: Sequence[Server], clock: Clock) -> Iterator[Run]:
    config = pool([server.url for server in servers], order="weighted", weights=WEIGHTS)
    if calls == IN_THREADS:
        with rf.Client(config, clock=clock) as client:
            yield in_threads(client)
        return
    with asyncio.Runner() as loop:
        aclient = rf.AsyncClient(config, clock=clock)
        yield in_tasks(aclient, loop)
        loop.run(aclient.close())


class Killer:
    """Kills the first server when it is in the middle of its fifth stream."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._left = 60
        self._lock = threading.Lock()

    def __call__(self, profile: str) -> None:
        with self._lock:
            self._left -= profile == "a"
            if self._left == 0:
                self._server.kill()


@pytest.mark.parametrize("calls", [IN_THREADS, IN_TASKS], ids=["threads", "tasks"])
def test_a_server_killed_under_load_loses_no_call_and_gets_its_share_again_when_it_is_back(
    calls: int, run: Run, servers: Sequence[Server], clock: Clock
) -> None:
    assert within_a_tenth(run(calls), **WEIGHTS)

    run(30, Killer(servers[0]))
    assert within_a_tenth(run(45), b=2, c=1), "it rests, and the others share what there is"

    clock.skip(REST + 1)
    probing = run(16)
    assert shares(probing).keys() == {"b", "c"}, "it is dead still"
    assert sum(attempt.profile == "a" for each in probing for attempt in each.attempts) == 1, "and one call finds out"

    servers[0].start()
    clock.skip(REST + 1)
    assert shares(run(1)) == {"a": 1}, "one call brings it back"
    assert within_a_tenth(run(60), **WEIGHTS)


@pytest.mark.parametrize("pieces", [2, 7, 25])
def test_a_stream_whose_server_is_killed_in_mid_sentence_goes_on_at_another(
    pieces: int, servers: Sequence[Server]
) -> None:
    messages, reply = case(0)
    relay = Relay(servers[0].url, pieces, servers[0].kill)
    with relay, rf.Client(pool([relay.url, *(server.url for server in servers[1:])])) as client:
        with client.stream(messages) as stream:
            assert "".join(stream) == reply
        first, second = stream.completion.segments
        assert (first.profile, second.profile) == ("a", "b")
        assert [attempt.waited for attempt in stream.completion.attempts] == [0, 0]


def test_streams_that_are_opened_together_and_read_later_go_to_different_servers(servers: Sequence[Server]) -> None:
    """And one that nobody reads or closes does not count for ever."""
    with rf.Client(pool([server.url for server in servers])) as client:
        streams = [client.stream(case(0)[0]) for _ in range(3)]
        for stream in streams:
            assert "".join(stream) == case(0)[1]
        assert {stream.completion.profile for stream in streams} == {"a", "b", "c"}
        for _ in range(9):
            client.stream(case(0)[0])
        assert shares([client.complete(case(0)[0]) for _ in range(6)]) == {"a": 2, "b": 2, "c": 2}


def test_while_all_servers_are_down_the_last_one_is_tried_with_backoff_until_one_is_back(
    servers: Sequence[Server], no_waiting: None
) -> None:
    config = pool([server.url for server in servers])
    with rf.Client(config) as client:
        for server in servers:
            server.kill()
        with pytest.raises(rf.AllProfilesFailed) as caught:
            client.complete(case(0)[0])
        assert [attempt.profile for attempt in caught.value.attempts] == ["a", "b", "c", "c", "c", "c"]
        servers[1].start()
        assert client.complete(case(0)[0]).profile == "b"
