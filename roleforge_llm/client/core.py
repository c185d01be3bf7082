"""What the sync and the async client share: everything but waiting."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Self

import attrs

from roleforge_llm._loading import uncollected
from roleforge_llm.backends import Backend, BackendSpec
from roleforge_llm.client.call import Call, Surroundings
from roleforge_llm.client.explanation import Explanation, explain
from roleforge_llm.client.healthbook import HealthBook
from roleforge_llm.client.learning import learned
from roleforge_llm.client.planning import plan
from roleforge_llm.client.requests import Options
from roleforge_llm.client.targets import Targets
from roleforge_llm.config import Config, find_config, load_config, parse_config
from roleforge_llm.errors import ConfigError, Fault, PluginError
from roleforge_llm.host import OfferKind, PluginHost, default_host
from roleforge_llm.host.isolation import class_name, described
from roleforge_llm.messages import MessageLike, conversation
from roleforge_llm.policies import Plan
from roleforge_llm.profiles import Profile

__all__ = ["AnyClient", "Core", "closing", "host_for", "read_config"]

log = logging.getLogger("roleforge_llm")


def read_config(path: str | os.PathLike[str] | None) -> Config:
    """The configuration at *path*, or the one that is found. Raises :class:`ConfigError` if there is none."""
    found = find_config(path)
    if found is None:
        message = (
            "no configuration found; write one with `roleforge-llm init`, or name one with --config, "
            "ROLEFORGE_LLM_CONFIG or from_config(path)"
        )
        raise ConfigError([Fault("", message)])
    return load_config(found)


def host_for(config: Config) -> PluginHost:
    """The host with the plugins that *config* allows."""
    settings = config.plugins
    if not settings.disable and not settings.override:
        return default_host()
    return PluginHost(disabled=settings.disable, overridden=settings.override)


class Core:
    """The shared half of a client."""

    def __init__(
        self,
        config: Config | Mapping[str, object],
        host: PluginHost | None,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.config = config if isinstance(config, Config) else parse_config(config)
        self.host = host if host is not None else host_for(self.config)
        self._targets = Targets(self.config, self.host)
        self._around = Surroundings(self.host, HealthBook(), clock, jitter)
        self._backends: dict[str, Backend] = {}
        self._lock = threading.RLock()

    def call(self, messages: Iterable[MessageLike], profile: str | None, options: Options) -> Call:
        """A new call, everything checked that can be checked before something is sent."""
        checked = conversation(messages)
        targets = self._targets.chain(profile)
        # Before the call's clock begins: loading a backend's library can take half a second.
        self.backend(targets[0].profile.backend)
        limit = _limit(options.timeout, targets[0].profile.timeouts.total)
        return Call(self._around, targets, checked, options, limit)

    def backend(self, name: str) -> Backend:
        """The client's backend of that name, made at its first use."""
        with self._lock:
            if name not in self._backends:
                self._backends[name] = self._made(self.host.backend(name))
            return self._backends[name]

    def _made(self, spec: BackendSpec) -> Backend:
        """A backend from its factory. Raises :class:`PluginError` that names its plugin, whatever that does wrong."""
        try:
            made = _factory(spec)()
            if not (missing := [name for name in _BACKEND_METHODS if not callable(getattr(made, name, None))]):
                made.build_on(self.backend)
                return made
            reason = f"has no {missing[0]} ({len(missing)} methods are missing); subclass roleforge_llm.Backend"
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a plugin's module and code, whatever they do
            reason = f"cannot be made by {_shown(spec)}: {described(error)}"
        record = self.host.provider(OfferKind.BACKEND, spec.name)
        origin = f" of {record.title}" if record is not None else ""
        raise PluginError(f"the backend {spec.name!r}{origin} {reason}")

    def made_backends(self) -> Sequence[Backend]:
        """Those backends that were used, for closing."""
        with self._lock:
            return list(self._backends.values())

    def plan(self, profile: str | None) -> Plan:
        """The worst case of a call."""
        return plan(self._targets.chain(profile))

    def explain(self, messages: Iterable[MessageLike], profile: str | None, options: Options) -> Explanation:
        """Everything that would be sent; nothing is sent but the question for a template = "server"."""
        targets = self._targets.chain(profile)
        backend = self.backend(targets[0].profile.backend)
        for question in learned(targets[0], lambda: targets[0].profile):
            question.ask(backend)
        return explain(self.host, targets, backend, conversation(messages), options)

    def check(self) -> Mapping[str, Sequence[Fault]]:
        """Every fault of every profile, by profile; a format that nobody offers is one, too. Empty without faults."""
        targets = Targets(attrs.evolve(self.config, strict_templates=True), self.host)
        found = {
            name: [*targets.faults(profile), *self._backend_fault(profile)]
            for name, profile in self.config.profiles.items()
        }
        return {name: faults for name, faults in found.items() if faults}

    def _backend_fault(self, profile: Profile) -> Sequence[Fault]:
        """What keeps the backend of *profile* from being made, although a plugin offers it."""
        if profile.backend not in self.host.backend_names():
            return ()
        try:
            self.backend(profile.backend)
        except PluginError as error:
            return (Fault(f"profiles.{profile.name}.backend", str(error)),)
        return ()


@contextlib.contextmanager
def closing(backend: Backend) -> Iterator[None]:
    """Close *backend*: where that fails, the reply is there all the same, and the others are to be closed."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # a plugin's code, whatever it does
        log.warning("a backend, %s, could not be closed: %s", class_name(type(backend)), described(error))


_NO_LIMIT = 1e9


def _limit(timeout: float | None, total: float | None) -> float | None:
    """Seconds that a call may take: its own *timeout*, else the profile's *total*. Raises :class:`ConfigError`."""
    if timeout is None:
        return total
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= -_NO_LIMIT:
        raise ConfigError([Fault("timeout", f"must be a number of seconds or None, not {timeout!r:.60}")])
    return float(min(timeout, _NO_LIMIT))


_BACKEND_METHODS = [name for name, value in vars(Backend).items() if callable(value) and not name.startswith("_")]


def _shown(spec: BackendSpec) -> str:
    return spec.factory if isinstance(spec.factory, str) else "its factory"


def _factory(spec: BackendSpec) -> Callable[[], Backend]:
    if not isinstance(spec.factory, str):
        return spec.factory
    module, _, name = spec.factory.partition(":")
    with uncollected():
        found: Callable[[], Backend] = getattr(importlib.import_module(module), name)
    return found


class AnyClient:
    """What the sync and the async client have in common."""

    def __init__(
        self,
        config: Config | Mapping[str, object],
        host: PluginHost | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._core = Core(config, host, clock, jitter)

    @classmethod
    def from_config(cls, path: str | os.PathLike[str] | None = None, *, host: PluginHost | None = None) -> Self:
        """A client for the configuration at *path*, or for the one that is found (see docs/CONFIGURATION.md)."""
        return cls(read_config(path), host)

    @property
    def config(self) -> Config:
        """The configuration."""
        return self._core.config

    @property
    def host(self) -> PluginHost:
        """The plugin host."""
        return self._core.host

    def explain(self, messages: Iterable[MessageLike], profile: str | None = None, **sampler: object) -> Explanation:
        """Everything that :meth:`complete` would send first, byte for byte, with secrets masked. Sends nothing."""
        return self._core.explain(messages, profile, Options(overrides=sampler))

    def plan(self, profile: str | None = None) -> Plan:
        """The most requests and seconds of waiting that a call with *profile* can take.

        For a call without a ``timeout`` of its own, which may be longer than the profile's ``total``.
        """
        return self._core.plan(profile)
