"""A client over scripted backends, one backend for each profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

import roleforge_llm as rf
from roleforge_llm import hookimpl
from roleforge_llm.config import parse_config
from roleforge_llm.testing.scripted import ScriptedBackend
from roleforge_llm.testing.waiting import no_waiting


class Scripts:
    """A plugin that offers one scripted backend for each profile, and records all events."""

    def __init__(self, backends: Mapping[str, ScriptedBackend], policies: tuple[rf.PolicySpec, ...] = ()) -> None:
        self.backends = backends
        self.policies = policies
        self.events: list[rf.Event] = []

    @hookimpl
    def roleforge_backends(self) -> list[rf.BackendSpec]:
        return [backend.spec(name) for name, backend in self.backends.items()]

    @hookimpl
    def roleforge_failure_policies(self) -> list[rf.PolicySpec]:
        return list(self.policies)

    @hookimpl
    def roleforge_event(self, event: rf.Event) -> None:
        self.events.append(event)


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """What a test works with: a client, its profiles' backends, the events, and the clock."""

    def __init__(self, client: rf.Client, aclient: rf.AsyncClient, plugin: Scripts, clock: Clock) -> None:
        self.client = client
        self.aclient = aclient
        self.backends = plugin.backends
        self.events = plugin.events
        self.clock = clock

    def counts(self) -> dict[str, int]:
        return {name: len(backend.requests) for name, backend in self.backends.items()}

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


Make = Callable[..., Bench]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes a bench: ``make(a=("script",), b=(...), settings={"a": {...}}, policies=())``; the first falls back to the others."""
    with no_waiting():
        yield _make


def _make(
    settings: Mapping[str, Mapping[str, object]] | None = None,
    policies: tuple[rf.PolicySpec, ...] = (),
    plugins: tuple[object, ...] = (),
    jitter: float = 0.0,
    **scripts: tuple[object, ...],
) -> Bench:
    names = list(scripts)
    profiles: dict[str, dict[str, object]] = {
        name: {"backend": name, "template": "chatml", **(settings or {}).get(name, {})} for name in names
    }
    if len(names) > 1:
        profiles[names[0]].setdefault("fallbackProfiles", names[1:])
    plugin = Scripts({name: ScriptedBackend(*script) for name, script in scripts.items()}, policies)  # type: ignore[arg-type]  # steps
    clock = Clock()
    config = parse_config({"profiles": profiles})
    host = rf.PluginHost(plugins=[plugin, *plugins])
    client = rf.Client(config, host, clock=clock, jitter=lambda: jitter)
    aclient = rf.AsyncClient(config, host, clock=clock, jitter=lambda: jitter)
    return Bench(client, aclient, plugin, clock)
