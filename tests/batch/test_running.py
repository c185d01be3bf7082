"""Rows in, results out: in which order, how many at once, and how it ends."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import roleforge_llm as rf
from roleforge_llm.batch import batch_row
from tests.batch.conftest import row

PLAIN = {"retryConfig": {"maxRetries": 0}}


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 30))


async def all_of(batch):
    async with batch:
        return [result async for result in batch]


async def until(condition):
    """Let the others run until *condition* holds."""
    while not condition():  # noqa: ASYNC110  # what is waited for tells nobody
        await asyncio.sleep(0)


def lines(results):
    return [result.line for result in results]


def test_every_row_has_one_result(gated, rows):
    client, a = gated(a={})
    results = run(all_of(client.batch(rows(300))))
    assert sorted(lines(results)) == list(range(1, 301))
    assert {result.id: result.completion.text for result in results} == {f"r{n}": f"re: {n}" for n in range(1, 301)}
    assert len(a.asked) == 300


@pytest.mark.parametrize("kind", ["list", "iterator", "async"])
def test_rows_come_from_anything_that_gives_them(gated, rows, kind):
    async def slowly():
        for each in rows(20):
            await asyncio.sleep(0)
            yield each

    client, _ = gated(a={})
    given = {"list": rows(20), "iterator": iter(rows(20)), "async": slowly()}[kind]
    assert sorted(lines(run(all_of(client.batch(given, concurrency=3))))) == list(range(1, 21))


def test_no_rows_no_results(gated):
    client, _ = gated(a={})
    assert run(all_of(client.batch([]))) == []


@pytest.mark.parametrize("given", ["text", {"messages": []}, 3])
def test_what_holds_no_rows_is_refused(gated, given):
    client, _ = gated(a={})
    with pytest.raises(rf.BatchError, match="rows must be"):
        client.batch(given)


def test_a_slow_row_holds_nobody_up(gated, rows):
    client, a = gated(a={})
    a.held = {"1"}

    async def scenario():
        async with client.batch(rows(50), concurrency=4) as batch:
            first = [await anext(batch) for _ in range(49)]
            a.release()
            return [*first, await anext(batch)]

    assert lines(run(scenario()))[-1] == 1


def test_in_order_means_in_the_order_of_the_rows_and_in_bounded_memory(gated, rows):
    client, a = gated(a={})
    a.held = {"1"}

    async def scenario():
        source = Counted(rows(5000))
        async with client.batch(source, concurrency=4, in_order=True) as batch:
            waiting = asyncio.ensure_future(anext(batch))
            await until(lambda: a.now == 1 and len(a.asked) > 4)
            for _ in range(200):
                await asyncio.sleep(0)
            assert source.taken < 200
            a.release()
            return [await waiting, *[result async for result in batch]]

    assert lines(run(scenario())) == list(range(1, 5001))


class Counted:
    """Counts how many rows were taken from it."""

    def __init__(self, rows):
        self.rows = iter(rows)
        self.taken = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.taken += 1
        return next(self.rows)


def test_rows_are_read_only_as_results_are_taken(gated):
    client, _ = gated(a={})
    source = Counted(row(f"{number}") for number in itertools.count())

    async def scenario():
        async with client.batch(source, concurrency=4) as batch:
            for _ in range(10):
                await anext(batch)
            for _ in range(100):
                await asyncio.sleep(0)
            return source.taken

    assert run(scenario()) <= 10 + 4 + 64 + 1


# ---------------------------------------------------------------------- how many at once


@pytest.mark.parametrize("concurrency", [1, 3, 17])
def test_no_more_rows_are_in_flight_than_allowed(gated, rows, concurrency):
    client, a = gated(a={})
    run(all_of(client.batch(rows(100), concurrency=concurrency)))
    assert a.most == concurrency


def test_auto_grows_up_to_its_maximum(gated, rows):
    client, a = gated(a={})
    a.seconds = 0.001
    run(all_of(client.batch(rows(300), max_concurrency=12)))
    assert 4 < a.most <= 12


def test_auto_halves_where_the_server_is_busy(gated, rows):
    client, a = gated(a=PLAIN)
    a.failing = {"1": rf.RateLimited("slow down", kind="status", status=429)}

    async def scenario():
        async with client.batch(rows(4)) as batch:
            async for _ in batch:
                pass
            return batch.limit()

    assert run(scenario()) == 2


@pytest.mark.parametrize("kind", ["quota", None])
def test_other_failures_do_not(gated, rows, kind):
    client, a = gated(a=PLAIN)
    error = rf.RateLimited("no", kind=kind, status=429) if kind else rf.InvalidRequest("no", kind="status", status=400)
    a.failing = {"1": error}

    async def scenario():
        async with client.batch(rows(4)) as batch:
            async for _ in batch:
                pass
            return batch.limit()

    assert run(scenario()) == 4


def test_a_limit_of_a_profile_bounds_its_rows_and_lets_the_others_pass(gated):
    client, a, b = gated(a={}, b={})
    a.held = {f"{number}" for number in range(0, 40, 2)}
    given = [row(f"{number}", profile="ab"[number % 2]) for number in range(40)]

    async def scenario():
        async with client.batch(given, concurrency=8, limits={"a": 2}) as batch:
            odd = [await anext(batch) for _ in range(20)]
            assert {result.completion.profile for result in odd} == {"b"}
            a.release()
            return [result async for result in batch]

    assert len(run(scenario())) == 20
    assert (a.most, b.most > 2) == (2, True)


def test_a_limit_of_a_profile_holds_for_fallbacks_to_it(gated, rows):
    client, a, b = gated(a={**PLAIN, "fallbackProfiles": ["b"]}, b={})
    a.failing = {f"{number}": rf.ConnectFailed("gone", kind="dns") for number in range(1, 31)}
    b.seconds = 0.002
    results = run(all_of(client.batch(rows(30), concurrency=10, limits={"b": 3})))
    assert {result.completion.profile for result in results} == {"b"}
    assert b.most == 3


@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"max_concurrency": -1}, {"limits": {"a": 0}}, {"concurrency": "x"}]
)
def test_a_limit_that_is_none_is_refused(gated, wrong):
    client, _ = gated(a={})
    with pytest.raises(rf.BatchError, match="whole number from 1"):
        client.batch([], **wrong)


@pytest.mark.parametrize("wrong", [{"profile": "z"}, {"limits": {"z": 1}}])
def test_a_profile_that_does_not_exist_is_refused(gated, wrong):
    client, _ = gated(a={})
    with pytest.raises(rf.ConfigError, match='no profile "z"'):
        client.batch([], **wrong)


# ---------------------------------------------------------------------- what is wrong with rows


def test_what_is_wrong_with_a_row_is_its_result(gated):
    client, a = gated(a=PLAIN)
    a.failing = {"dead": rf.ServerError("no", kind="status", status=500), "bug": ZeroDivisionError("oops")}
    given = [
        row("fine", id="x"),
        row("again", id="x"),
        {"mesages": []},
        {"messages": [{"role": "nobody", "content": ""}]},
        row("hot", temperature="hot"),
        row("dead"),
        row("bug"),
        row("p", profile="z"),
        3,
    ]
    results = run(all_of(client.batch(given, in_order=True)))
    assert [(type(result.error).__name__, result.kind, result.status) for result in results] == [
        ("NoneType", "", None),
        ("RowError", "duplicate-id", None),
        ("RowError", "unknown-key", None),
        ("MessageError", "messages", None),
        ("ConfigError", "setting", None),
        ("AllProfilesFailed", "status", 500),
        ("AllProfilesFailed", "unexpected", None),
        ("RowError", "profile", None),
        ("RowError", "not-an-object", None),
    ]
    assert a.asked == ["fine", "dead", "bug"]


def test_retries_and_fallbacks_are_those_of_the_profiles(gated, no_waiting):
    client, a, _ = gated(a={"retryConfig": {"maxRetries": 2}, "fallbackProfiles": ["b"]}, b={})
    a.failing = {"1": rf.ServerError("no", kind="status", status=500)}
    (result,) = run(all_of(client.batch([row("1")])))
    assert [(attempt.profile, attempt.ok) for attempt in result.attempts] == [("a", False)] * 3 + [("b", True)]
    assert (result.profile, result.completion.profile) == ("a", "b")
    assert result.to_dict()["segments"] == [{"profile": "b", "text": "re: 1"}]


def test_rows_that_were_read_elsewhere_keep_their_place(gated):
    client, _ = gated(a={})
    given = [batch_row(row("x"), 17), batch_row(row("y"), 17)]
    results = run(all_of(client.batch(given)))
    assert [(result.line, result.id) for result in results] == [(17, 17), (17, 17)]


def test_an_error_of_the_source_comes_after_the_results_of_what_it_gave(gated):
    def breaking():
        yield from [row("1"), row("2")]
        raise OSError("the disk is gone")

    async def scenario():
        client, _ = gated(a={})
        results = []
        with pytest.raises(OSError, match="the disk is gone"):
            async for result in client.batch(breaking()):
                results += [result]
        return results

    assert sorted(lines(run(scenario()))) == [1, 2]


# ---------------------------------------------------------------------- how it ends


def test_after_stop_only_what_was_in_flight_comes(gated, rows):
    client, a = gated(a={})
    a.held = {f"{number}" for number in range(1, 100)}

    async def scenario():
        async with client.batch(rows(99), concurrency=5) as batch:
            waiting = asyncio.ensure_future(anext(batch))
            await until(lambda: a.now == 5)
            batch.stop()
            a.release()
            return [await waiting, *[result async for result in batch]]

    assert sorted(lines(run(scenario()))) == [1, 2, 3, 4, 5]
    assert len(a.asked) == 5


def test_rows_that_are_given_up_hold_no_others_up(gated):
    client, a, b = gated(a={}, b={})
    a.held = {"1"}
    given = [row("1", profile="a"), row("2", profile="a"), row("3", profile="b")]

    async def scenario():
        async with client.batch(given, limits={"a": 1}, in_order=True) as batch:
            waiting = asyncio.ensure_future(anext(batch))
            await until(lambda: a.now == 1 and b.asked and not b.now)
            batch.stop()
            a.release()
            return [await waiting, *[result async for result in batch]]

    assert lines(run(scenario())) == [1, 3]


@pytest.mark.parametrize("in_order", [False, True])
def test_stop_ends_a_batch_that_waits_for_rows(gated, in_order):
    left = []

    async def never():
        yield row("1")
        try:
            await asyncio.Event().wait()
        finally:
            left.append("the source")

    async def scenario():
        client, _ = gated(a={})
        async with client.batch(never(), in_order=in_order) as batch:
            first = await anext(batch)
            waiting = asyncio.ensure_future(anext(batch, None))
            await asyncio.sleep(0)
            batch.stop()
            assert await waiting is None
            assert left == ["the source"]
            return first.line

    assert run(scenario()) == 1


@pytest.mark.parametrize("leave", ["break", "cancel"])
def test_who_leaves_ends_what_is_in_flight(gated, rows, leave):
    client, a = gated(a={})
    a.held = {f"{number}" for number in range(2, 9)}

    async def take():
        if leave == "cancel":
            async for _ in client.batch(rows(8), concurrency=4):
                pass
        async with client.batch(rows(8), concurrency=4) as batch:
            async for _ in batch:
                break

    async def scenario():
        task = asyncio.ensure_future(take())
        if leave == "cancel":
            await until(lambda: a.now == 4)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return a.now

    assert run(scenario()) == 0


def test_broken_rows_without_end_leave_the_event_loop_to_others(gated):
    client, _ = gated(a={})

    async def scenario():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        async with client.batch({} for _ in range(1000)) as batch:
            results = [result async for result in batch]
        ticking.cancel()
        return len(results), ticks

    count, ticks = run(scenario())
    assert count == 1000
    assert ticks > 10
