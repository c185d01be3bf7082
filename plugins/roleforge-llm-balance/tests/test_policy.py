"""What follows a failure, what a profile may say, and what the host makes of both."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

import roleforge_llm as rf
from roleforge_llm.cli import cli
from roleforge_llm.testing import ScriptedBackend, assert_policy_conforms

HELLO = [{"role": "user", "content": "Hello!"}]
HOST = rf.PluginHost()
SPEC = HOST.policy("balance")
BUILT_IN = HOST.policy("backoff-then-fallback")
POOL = rf.Profile("a", fallback_profiles=("b", "c"))
BUSY = rf.ServerError("busy", kind="status", status=503)
WRONG_KEY = rf.AuthenticationFailed("wrong key", kind="status", status=401)
DEAD = rf.Health(consecutive_failures=2, last_failure=1000.0, now=1003.0)
RESTED = rf.Health(consecutive_failures=2, last_failure=1000.0, now=1010.0)


def decide(left: tuple[str, ...] = (), health: Mapping[str, rf.Health] | None = None, **more: Any) -> rf.Decision:
    failure = rf.Failure(**({"error": BUSY, "retryable": True, "profile": "a"} | more))
    return SPEC.factory(POOL).decide(attrs.evolve(failure, profiles_left=left, health=health or {}))


@pytest.mark.parametrize(
    "profile", [POOL, rf.Profile("a"), rf.Profile("a", retry_config=rf.RetryConfig(max_retries=0))]
)
def test_it_keeps_the_rules_of_failure_policies(profile: rf.Profile) -> None:
    assert_policy_conforms(SPEC, profiles=[profile])


@pytest.mark.parametrize("order", ["least-in-flight", "weighted", "fastest"])
def test_so_does_every_order(order: str) -> None:
    names = ("second", "third", "fourth")
    assert_policy_conforms(
        SPEC, profiles=[rf.Profile("first", fallback_profiles=names, policy_options={"order": order})]
    )


def test_a_call_does_not_wait_while_another_server_may_answer() -> None:
    assert decide(("b",)) == rf.FallBack("another server is there")
    assert decide(("b", "c"), {"b": DEAD}) == rf.FallBack("another server is there")
    assert decide(("b",), {"b": RESTED}) == rf.FallBack("another server is there")


def test_where_all_others_fail_the_built_in_policy_decides() -> None:
    assert decide(("b",), {"b": DEAD}) == rf.Retry(1.0)
    assert decide(("b",), {"b": DEAD}, number=4) == rf.FallBack("maxRetries is 3")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize("error", [BUSY, rf.RateLimited("x", status=429, retry_after=7)], ids=["503", "429"])
def test_alone_it_is_the_built_in_policy(number: int, error: rf.BackendError) -> None:
    failure = rf.Failure(error, retryable=True, number=number, jitter=0.5)
    alone = rf.Profile("a")
    assert SPEC.factory(alone).decide(failure) == BUILT_IN.factory(alone).decide(failure)
    assert SPEC.limits(alone) == BUILT_IN.limits(alone)


def test_what_a_retry_cannot_cure_is_the_next_servers() -> None:
    assert decide(("b",), error=WRONG_KEY, retryable=False) == rf.FallBack("a retry cannot help")


# ---------------------------------------------------------------------- options


def faults(first: Mapping[str, Any], **others: Mapping[str, Any]) -> list[str]:
    """What ``config check`` finds in a pool of a, b and LM Studio."""
    table = {"backend": "openai-compatible", "baseURL": "http://localhost:1", "failurePolicy": "balance"}
    profiles: dict[str, Any] = {name: {**table, **others.get(name, {})} for name in ("a", "b", "LM Studio")}
    profiles["a"] |= {"fallbackProfiles": ["b", "LM Studio"], "policyOptions": first}
    with rf.Client({"profiles": profiles}, HOST) as client:
        try:
            client.plan("a")
        except rf.ConfigError as error:
            return [str(fault) for fault in error.faults]
    return []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"order": "fastest", "rest": 0},
        {"order": "weighted"},
        {"order": "weighted", "weights": {"a": 0.1, "b": 100, "LM Studio": 1.5}},
        {"rest": 86400, "weights": {}},
    ],
    ids=repr,
)
def test_good_options(options: Mapping[str, Any]) -> None:
    assert faults(options) == []


RANGE = "to send nothing there, take it off fallbackProfiles"
HOME = "profiles.a.policyOptions"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"order": "wieghted"}, "order: must be one of least-in-flight, weighted, fastest, not 'wieghted'; did you mean weighted?"),
        ({"order": ["weighted"]}, "order: must be one of least-in-flight, weighted, fastest, not ['weighted']; did you mean weighted?"),
        ({"order": None}, "order: must be one of least-in-flight, weighted, fastest, not None"),
        ({"odrer": "weighted"}, "odrer: the policy balance has no such option; did you mean order?"),
        ({"x": 1}, "x: the policy balance has no such option; options: order, weights, rest"),
        ({"rest": -1}, "rest: must be a number of seconds from 0 to 86400, not -1"),
        ({"rest": "10"}, "rest: must be a number of seconds from 0 to 86400, not '10'"),
        ({"rest": True}, "rest: must be a number of seconds from 0 to 86400, not True"),
        ({"order": "weighted", "weights": [1]}, "weights: must be a table with a number for each profile, not [1]"),
        ({"weights": {"a": 2}}, 'weights: mean nothing to the order least-in-flight; set order = "weighted" or leave them out'),
        ({"order": "weighted", "weights": {"b": 0}}, f"weights.b: must be a number from 0.1 to 100, not 0; {RANGE}"),
        ({"order": "weighted", "weights": {"b": -1}}, f"weights.b: must be a number from 0.1 to 100, not -1; {RANGE}"),
        ({"order": "weighted", "weights": {"b": "3"}}, f"weights.b: must be a number from 0.1 to 100, not '3'; {RANGE}"),
        (
            {"order": "weighted", "weights": {"LM Stdio": 1}},
            "weights.LM Stdio: is neither this profile nor one of its fallbackProfiles; did you mean LM Studio?",
        ),
        (
            {"order": "weighted", "weights": {"x": 1}},
            "weights.x: is neither this profile nor one of its fallbackProfiles; those are a, b, LM Studio",
        ),
    ],
    ids=repr,
)  # fmt: skip
def test_bad_options_are_told_with_their_place(options: Mapping[str, Any], told: str) -> None:
    assert faults(options) == [f"{HOME}.{told}"]


def test_a_weight_that_is_no_number_is_told_where_no_file_has_refused_it_before() -> None:
    options = {"order": "weighted", "weights": {"a": float("nan")}}
    config = rf.Config(
        {"a": rf.Profile("a", base_url="http://localhost:1", failure_policy="balance", policy_options=options)}, "a"
    )
    with (
        rf.Client(config, HOST) as client,
        pytest.raises(rf.ConfigError, match=r"policyOptions\.weights\.a: .* not nan"),
    ):
        client.plan()


def test_all_faults_are_told_at_once() -> None:
    assert len(faults({"order": "wieghted", "rest": -1, "weights": {"a": 0, "x": 0}})) == 5


def test_the_name_of_the_policy_misspelt_is_told_with_the_right_one() -> None:
    (told,) = faults({}, b={"failurePolicy": "balanced"})
    assert told.endswith("no plugin offers the failure policy 'balanced'; did you mean balance?")


# ---------------------------------------------------------------------- whole calls


def calling(
    first: Mapping[str, Any], scripts: Mapping[str, tuple[Any, ...]]
) -> tuple[rf.Client, Mapping[str, ScriptedBackend]]:
    """A client of a pool whose servers play scripts."""
    backends = {name: ScriptedBackend(*script) for name, script in scripts.items()}

    class Scripts:
        @rf.hookimpl
        def roleforge_backends(self) -> list[rf.BackendSpec]:
            return [backend.spec(name) for name, backend in backends.items()]

    table = {"template": "chatml", "failurePolicy": "balance"}
    profiles: dict[str, Any] = {name: {**table, "backend": name} for name in scripts}
    names = list(scripts)
    profiles[names[0]] |= {"fallbackProfiles": names[1:], **first}
    return rf.Client({"profiles": profiles}, rf.PluginHost(plugins=[Scripts()])), backends


def test_a_server_that_is_loading_is_not_waited_for_while_another_one_is_left() -> None:
    loading = rf.ServerError("loading", kind="loading", status=503)
    client, backends = calling({}, {"a": (loading,), "b": ("Hi.",)})
    assert client.complete(HELLO).profile == "b"
    assert len(backends["a"].requests) == 1


def test_a_request_that_a_server_refuses_does_not_count_against_it() -> None:
    refused = rf.InvalidRequest("no such setting", kind="status", status=400)
    client, _ = calling({}, {"a": (refused, refused, "A"), "b": (refused, refused, "B")})
    for _ in range(2):
        with pytest.raises(rf.AllProfilesFailed):
            client.complete(HELLO)
    assert {client.complete(HELLO).text for _ in range(2)} == {"A", "B"}


def test_a_wrong_key_does() -> None:
    client, backends = calling({}, {"a": (WRONG_KEY,), "b": ("B",)})
    assert {client.complete(HELLO).text for _ in range(10)} == {"B"}
    assert len(backends["a"].requests) == 2


def test_the_plan_is_that_of_the_built_in_policy_on_each_server() -> None:
    client, _ = calling({}, {"a": ("A",), "b": ("B",), "c": ("C",)})
    assert (client.plan().max_requests, client.plan().max_wait_seconds) == (12, 540)


def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["plugins"], standalone_mode=False)
    assert "failure policy balance" in capsys.readouterr().out
