"""Clients of servers that fail, with policies and observers of a third party."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import FaultServer, no_waiting

Profiles = Mapping[str, Mapping[str, object]]


class ThirdParty:
    """A plugin with one failure policy called "mine", and with a list of all events.

    Its ``clock`` goes on by the waits that are skipped in tests.
    """

    def __init__(self, spec: rf.PolicySpec | None = None) -> None:
        self.events: list[rf.Event] = []
        self._skipped = 0.0
        self._spec = spec

    @rf.hookimpl
    def roleforge_failure_policies(self) -> Sequence[rf.PolicySpec]:
        return [] if self._spec is None else [self._spec]

    @rf.hookimpl
    def roleforge_event(self, event: rf.Event) -> None:
        self.events.append(event)
        self._skipped += event.wait or 0.0

    def clock(self) -> float:
        return time.monotonic() + self._skipped


def policy(
    decide: Callable[[rf.Failure], Any], limits: Any = (5, 100.0), route: Callable[..., Any] | None = None
) -> rf.PolicySpec:
    """The policy "mine"; whether what *decide*, *limits* and *route* give makes any sense is the test's affair."""

    class Mine(rf.FailurePolicy):
        def decide(self, failure: rf.Failure) -> Any:
            return decide(failure)

        def route(self, profiles: Sequence[str], health: Mapping[str, rf.Health]) -> Any:
            return profiles if route is None else route(profiles, health)

    return rf.PolicySpec("mine", lambda profile: Mine(), lambda profile: limits() if callable(limits) else limits)


@pytest.fixture(scope="session")
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def client() -> Iterator[Callable[..., rf.Client]]:
    """Makes clients whose first profile falls back to the others, in order."""
    made: list[rf.Client] = []

    def make(profiles: Profiles, spec: rf.PolicySpec | None = None, *plugins: object, **more: Any) -> rf.Client:
        made.append(rf.Client(configured(profiles), rf.PluginHost(plugins=[ThirdParty(spec), *plugins]), **more))
        return made[-1]

    with no_waiting():
        yield make
    for each in made:
        each.close()


def configured(profiles: Profiles) -> rf.Config:
    first, *others = profiles
    tables = {name: {"template": "chatml", **settings} for name, settings in profiles.items()}
    return parse_config({"profiles": {**tables, first: {"fallbackProfiles": others, **tables[first]}}})
