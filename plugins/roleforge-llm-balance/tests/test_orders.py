"""The order of the servers, for any health: pure functions, and the host's own book of health."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.client.healthbook import HealthBook

SERVERS = ("a", "b", "c", "d")
REST = 10.0
SPEC = rf.PluginHost().policy("balance")


def policy(servers: Sequence[str] = SERVERS, **options: Any) -> rf.FailurePolicy:
    """The policy as the host makes it."""
    first, *others = servers
    profile = rf.Profile(first, fallback_profiles=tuple(others), policy_options={"rest": REST, **options})
    return SPEC.factory(profile)


times = st.none() | st.floats(0, 1000)
health = st.builds(
    rf.Health,
    in_flight=st.integers(0, 20),
    started=st.integers(0, 1000),
    recent=st.floats(0, 1000),
    latency=st.none() | st.floats(0, 100),
    last_start=times,
    last_success=times,
    last_failure=times,
    consecutive_failures=st.integers(0, 5),
    now=st.just(1000.0),
)
books = st.dictionaries(st.sampled_from(SERVERS), health)
orders = st.sampled_from(["least-in-flight", "weighted", "fastest"])
weights = st.lists(st.floats(0.1, 100), min_size=2, max_size=4).map(lambda each: dict(zip(SERVERS, each, strict=False)))


def failing(health: rf.Health) -> bool:
    return health.consecutive_failures >= 2


@given(order=orders, book=books, left=st.lists(st.sampled_from(SERVERS), min_size=1, unique=True))
def test_no_server_is_lost_and_none_is_added(order: str, book: Mapping[str, rf.Health], left: list[str]) -> None:
    assert sorted(policy(order=order).route(left, book)) == sorted(left)


@given(order=orders, book=books, left=st.lists(st.sampled_from(SERVERS), min_size=1, max_size=3, unique=True))
def test_after_a_failure_what_fails_stands_behind_what_does_not(
    order: str, book: Mapping[str, rf.Health], left: list[str]
) -> None:
    found = [failing(book.get(name, rf.Health())) for name in policy(order=order).route(left, book)]
    assert found == sorted(found)


@given(order=orders, book=books)
def test_a_call_begins_with_a_failing_server_only_when_that_has_rested_and_nobody_has_tried_it_since(
    order: str, book: Mapping[str, rf.Health]
) -> None:
    first, *others = policy(order=order).route(SERVERS, book)
    tail = [failing(book.get(name, rf.Health())) for name in others]
    assert tail == sorted(tail)
    known = book.get(first, rf.Health())
    if failing(known) and not all(tail):
        assert known.now - max(known.last_failure or 0, known.last_start or 0) >= REST


@given(book=books)
def test_least_in_flight_never_picks_a_server_with_more_in_flight(book: Mapping[str, rf.Health]) -> None:
    well = [name for name in SERVERS if not failing(book.get(name, rf.Health()))]
    assume(well)
    found = [name for name in policy().route(SERVERS, book) if name in well]
    counts = [book.get(name, rf.Health()).in_flight for name in found]
    assert counts == sorted(counts)


@given(latencies=st.lists(st.floats(0.001, 100), min_size=4, max_size=4), in_flight=st.integers(0, 9))
def test_fastest_prefers_the_faster_of_equally_busy_servers(latencies: list[float], in_flight: int) -> None:
    book = {
        name: rf.Health(in_flight=in_flight, recent=50, latency=latency)
        for name, latency in zip(SERVERS, latencies, strict=True)
    }
    found = [book[name].latency for name in policy(order="fastest").route(SERVERS, book)]
    assert found == sorted(latencies)


def test_fastest_leaves_the_fast_server_when_the_wait_there_is_longer() -> None:
    def first(in_flight: int) -> str:
        fast = rf.Health(in_flight=in_flight, recent=50, latency=1.0)
        return policy(("a", "b"), order="fastest").route(["a", "b"], {"a": fast, "b": rf.Health(recent=50, latency=4)})[
            0
        ]

    assert [first(in_flight) for in_flight in (0, 2, 4, 5)] == ["a", "a", "b", "b"]


# ---------------------------------------------------------------------- over many calls


class Pool:
    """Calls that begin and end on servers of one client, with the host's book and a clock of their own."""

    def __init__(self, servers: Sequence[str], latency: Callable[[str], float] = lambda _: 1.0, **options: Any) -> None:
        self.policy = policy(servers, **options)
        self.servers = servers
        self.book = HealthBook()
        self.running: list[str] = []
        self.now = 0.0
        self._latency = latency

    def begin(self) -> str:
        chosen = self.policy.route(self.servers, self.book.snapshot(self.now))[0]
        self.book.started(chosen, self.now)
        self.running.append(chosen)
        return chosen

    def end(self, index: int, *, ok: bool = True) -> None:
        name = self.running.pop(index)
        if ok:
            self.book.answered(name, self._latency(name))
            self.book.succeeded(name, self.now)
        else:
            self.book.failed(name, self.now)

    def call(self, *, ok: bool = True) -> str:
        chosen = self.begin()
        self.end(-1, ok=ok)
        return chosen


@settings(max_examples=30, deadline=None)
@given(weights=weights, ends=st.lists(st.integers(0, 9), min_size=1, max_size=40), calls=st.integers(1, 120))
def test_weighted_keeps_every_share_whatever_the_order_in_which_calls_end(
    weights: dict[str, float], ends: list[int], calls: int
) -> None:
    """To one call, and where a share is small to one more: never the share of another."""
    pool = Pool(tuple(weights), order="weighted", weights=weights)
    begun: Counter[str] = Counter()
    for number in range(calls):
        begun[pool.begin()] += 1
        while len(pool.running) > ends[number % len(ends)]:
            pool.end(ends[number % len(ends)] % len(pool.running))
        for name, weight in weights.items():
            assert abs(begun[name] - (number + 1) * weight / sum(weights.values())) < 2


def test_weighted_keeps_the_shares_over_thousands_of_calls() -> None:
    weights = {"a": 50, "b": 10, "c": 1.5}
    pool = Pool(tuple(weights), order="weighted", weights=weights)
    begun = Counter(pool.call() for _ in range(6150))
    assert all(abs(begun[name] - 100 * weight) <= 3 for name, weight in weights.items())


def test_what_was_long_ago_is_forgotten() -> None:
    """Calls that went to one server by another way weigh against it, but not for ever."""
    pool = Pool(("a", "b"), order="weighted")
    for _ in range(5000):
        pool.book.started("a", 0.0)
        pool.book.abandoned("a")
    begun = [pool.call() for _ in range(2000)]
    assert Counter(begun[1000:]) == {"a": 500, "b": 500}


@settings(max_examples=30, deadline=None)
@given(order=orders, latencies=st.lists(st.floats(0.01, 100), min_size=3, max_size=3), at_once=st.integers(1, 6))
def test_every_server_is_asked_again_and_again(order: str, latencies: list[float], at_once: int) -> None:
    by_name = dict(zip("abc", latencies, strict=True))
    pool = Pool(("a", "b", "c"), lambda name: by_name[name], order=order)
    begun = []
    for _ in range(660):
        begun.append(pool.begin())
        if len(pool.running) == at_once:
            pool.end(0)
    for start in range(0, 660, 220):
        assert set(begun[start : start + 220]) == {"a", "b", "c"}


def test_the_smallest_share_that_can_be_given_is_not_lost_among_the_largest() -> None:
    weights = {"a": 100, "b": 100, "c": 100, "d": 0.1}
    pool = Pool(tuple(weights), order="weighted", weights=weights)
    begun = Counter(pool.call() for _ in range(9000))
    assert 1 <= begun["d"] <= 5


def test_of_many_servers_the_fastest_still_has_nearly_all_calls() -> None:
    """However many there are, measuring the others again takes a twenty-fifth of the calls."""
    names = tuple(f"server-{number}" for number in range(30))
    pool = Pool(names, lambda name: 1.0 if name == "server-7" else 2.0, order="fastest")
    for _ in range(30):
        pool.call()
    begun = Counter(pool.call() for _ in range(1500))
    assert begun["server-7"] > 1350
    assert begun.keys() == set(names)


@settings(max_examples=30, deadline=None)
@given(order=orders, step=st.floats(0.01, 3))
def test_a_dead_server_costs_one_call_in_each_rest_and_has_its_share_when_it_is_back(order: str, step: float) -> None:
    pool = Pool(("a", "b"), order=order)
    for _ in range(4):
        pool.call(ok=False)  # two failures on each
    pool.book.answered("b", 1.0)
    tried = 0
    for _ in range(200):
        pool.now += step
        tried += pool.begin() == "a"
        pool.end(-1, ok=pool.running[-1] == "b")
    assert abs(tried - 200 * step / REST) <= max(1.5, 200 * step / REST / 4)
    pool.now += REST + 1
    assert pool.call() == "a"
    if order != "fastest":
        assert Counter(pool.call() for _ in range(20)) == {"a": 10, "b": 10}


def test_a_server_that_was_away_for_long_is_not_flooded_when_it_is_back() -> None:
    pool = Pool(("a", "b", "c"), order="weighted", weights={"a": 3, "b": 2, "c": 1})
    for _ in range(2):
        pool.book.failed("a", pool.now)
    for _ in range(5000):
        pool.now += 1
        chosen = pool.begin()
        pool.end(-1, ok=chosen != "a")
    pool.now += REST
    assert pool.call() == "a"
    begun = [pool.call() for _ in range(60)]
    assert all(Counter(begun[start : start + 6]) == {"a": 3, "b": 2, "c": 1} for start in range(0, 60, 6))


@given(order=orders)
def test_while_one_call_tries_a_server_all_others_stay_away(order: str) -> None:
    pool = Pool(("a", "b"), order=order)
    pool.book.failed("a", 0.0)
    pool.book.failed("a", 0.0)
    pool.now = REST
    assert [pool.begin() for _ in range(5)] == ["a", "b", "b", "b", "b"]
