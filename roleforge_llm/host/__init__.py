"""The host: what plugins plug into. The only place that calls pluggy."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs
import pluggy

from roleforge_llm import hookspecs
from roleforge_llm.errors import BackendError, PluginError
from roleforge_llm.host.derived import derived
from roleforge_llm.host.discovery import Candidate, given_plugin, installed_plugins, plugin_of
from roleforge_llm.host.hooks import hooks_of
from roleforge_llm.host.isolation import PluginFault, isolated, logged
from roleforge_llm.host.listing import HOOKS, offers_in
from roleforge_llm.host.offers import Offer, OfferKind, Offers
from roleforge_llm.host.records import PluginRecord, Status
from roleforge_llm.host.unknown import nobody_offers, tell_unknown
from roleforge_llm.host.versions import check_api, explained

if TYPE_CHECKING:
    import click

    from roleforge_llm.attempts import Attempt, Event, Failure
    from roleforge_llm.backends import BackendSpec
    from roleforge_llm.formats import PromptFormat
    from roleforge_llm.policies import DerivedPolicySpec, PolicySpec

__all__ = ["OfferKind", "PluginHost", "PluginRecord", "Status", "default_host", "plugin_of"]

DISABLE_VARIABLE = "ROLEFORGE_LLM_DISABLE_PLUGINS"

_DOES = {"roleforge_classify_error": "classifies errors", "roleforge_event": "observes events"}
"""What a plugin provides by the hooks that list nothing."""


class PluginHost:
    """Finds plugins, keeps them apart, and gives what they offer by name.

    *entry_points* looks for installed plugins, *plugins* are further ones (modules or objects with hooks),
    *disabled* are names of plugins or distributions that are not loaded ("*" for every installed one but the
    built-in), *overridden* the built-in names that plugins may replace. The environment variable
    ROLEFORGE_LLM_DISABLE_PLUGINS (names separated by commas) adds to *disabled*.

    Nothing that a plugin does wrong raises here: see :attr:`records`. Asking for what a broken plugin
    provides raises :class:`~roleforge_llm.PluginError`. One host serves all threads.
    """

    def __init__(
        self,
        entry_points: bool = True,
        disabled: Collection[str] = (),
        plugins: Iterable[object] = (),
        *,
        overridden: Collection[str] = (),
    ) -> None:
        self.overridden = frozenset(overridden)
        self._disabled = {*disabled, *_names(os.environ.get(DISABLE_VARIABLE, ""))}
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._candidates: dict[str, Candidate] = {}
        self._plugins: dict[str, object] = {}
        self._records: dict[str, PluginRecord] = {}
        self._collected: dict[OfferKind, Offers] = {}
        self._collecting = threading.RLock()
        self._complaints: set[tuple[str, str]] = set()
        for candidate in installed_plugins() if entry_points else ():
            self._add(candidate)
        for plugin in plugins:
            self._add(given_plugin(plugin))
        self._check_disabled(set(disabled) - {"*"})

    @property
    def records(self) -> tuple[PluginRecord, ...]:
        """Every plugin with its status, what it provides and, where it failed, the original error."""
        for kind in OfferKind:
            self._offers(kind)
        return tuple(
            attrs.evolve(record, provides=(*record.provides, *self._does(key))) for key, record in self._records.items()
        )

    # ------------------------------------------------------------------ hooks, one typed method each

    def format_names(self) -> Sequence[str]:
        """Names of all prompt formats, built-in ones first."""
        return self._offers(OfferKind.FORMAT).names()

    def format(self, name: str) -> PromptFormat | None:
        """The prompt format of that name (or ``distribution:name``), None if nobody offers it.

        Raises :class:`PluginError` if the plugin that offers it is broken or in conflict.
        """
        found: PromptFormat | None = self._find(OfferKind.FORMAT, name)  # type: ignore[assignment]  # kind decides
        return found

    def backend_names(self) -> Sequence[str]:
        """Names of all backends, built-in ones first."""
        return self._offers(OfferKind.BACKEND).names()

    def backend(self, name: str) -> BackendSpec:
        """The backend of that name. Raises :class:`PluginError`, with the nearest names, if there is none."""
        found: BackendSpec = self._require(OfferKind.BACKEND, name)  # type: ignore[assignment]  # kind decides
        return found

    def policy_names(self) -> Sequence[str]:
        """Names of all failure policies, built-in ones first."""
        return self._offers(OfferKind.POLICY).names()

    def policy(self, name: str) -> PolicySpec:
        """The failure policy of that name, made of the one that it builds on where it does.

        Raises :class:`PluginError`, with the nearest names, if there is none.
        """
        return derived(self._policy_offered(name), self._policy_offered)

    def _policy_offered(self, name: str) -> PolicySpec | DerivedPolicySpec:
        found: PolicySpec | DerivedPolicySpec = self._require(OfferKind.POLICY, name)  # type: ignore[assignment]  # kind decides
        return found

    def commands(self) -> Sequence[click.Command]:
        """Subcommands that plugins add to the command line."""
        offers = self._offers(OfferKind.COMMAND)
        return [offer.item for name in offers.names() if (offer := offers.get(name))]  # type: ignore[misc]  # kind decides

    def command(self, name: str) -> click.Command | None:
        """The subcommand of that name, None if no plugin offers it.

        Raises :class:`PluginError` if the plugin that offers it is broken or in conflict.
        """
        found: click.Command | None = self._find(OfferKind.COMMAND, name)  # type: ignore[assignment]  # kind decides
        return found

    def classify_error(self, error: Exception, attempt: Attempt) -> Failure | None:
        """The first plugin's answer on what kind of failure *error* is, None if no plugin knows it."""
        for key, hook in reversed(self._implementations("roleforge_classify_error")):
            with logged(key, "roleforge_classify_error", self._complaints):
                failure = hook(error=error, attempt=attempt)
                if failure is not None:
                    return _checked(failure)
        return None

    def emit(self, event: Event) -> None:
        """Tell every observer about *event*."""
        for key, hook in self._observers:
            with logged(key, "roleforge_event", self._complaints):
                hook(event=event)

    def provider(self, kind: OfferKind, name: str) -> PluginRecord | None:
        """The plugin that offers *name*, None if it is no plugin's."""
        offer = self._offers(kind).get(name)
        return None if offer is None else self._records[offer.plugin]

    def check_overridden(self) -> None:
        """Log a warning for each name in *overridden* that nobody offers: it changes nothing."""
        kinds = (OfferKind.FORMAT, OfferKind.BACKEND, OfferKind.POLICY)
        known = [name for kind in kinds for name in self._offers(kind).names()]
        unknown = sorted(self.overridden - set(known))
        tell_unknown("[plugins] override", "format, backend or failure policy", unknown, known)

    # ------------------------------------------------------------------ loading

    def _check_disabled(self, names: Collection[str]) -> None:
        records = self._records.values()
        unknown = [name for name in sorted(names) if not any(record.is_disabled_by({name}) for record in records)]
        known = [name for record in records for name in (record.name, record.distribution) if name]
        tell_unknown("[plugins] disable", "plugin or distribution", unknown, known)

    def _add(self, candidate: Candidate) -> None:
        record = candidate.record
        key = _free_key(record.name or "unnamed", self._records)
        self._candidates[key] = candidate
        self._records[key] = record if record.distribution and record.name else attrs.evolve(record, name=key)
        if record.is_disabled_by(self._disabled):
            self._records[key] = attrs.evolve(record, status="disabled")
            return
        try:
            with self._timed(key), isolated():
                self._load(candidate, key)
        except PluginFault as fault:
            told = explained(fault, candidate.states())
            self._blame(key, str(told), told.status)

    def _load(self, candidate: Candidate, key: str) -> None:
        plugin = candidate.load()
        check_api(plugin)
        check_api(sys.modules.get(candidate.module))
        if other := next((name for name, known in self._plugins.items() if known is plugin), None):
            raise PluginFault(f"it is the very same plugin as {other}", "conflict")
        self._manager.register(hooks_of(plugin, key), key)
        self._plugins[key] = plugin

    @contextlib.contextmanager
    def _timed(self, key: str) -> Iterator[None]:
        """Add how long the block takes to what the plugin has cost; a Ctrl-C in it says whose code it has ended."""
        start = time.perf_counter()
        try:
            yield
        except KeyboardInterrupt as error:
            title, way = self._records[key].title, f"{DISABLE_VARIABLE}={self._records[key].name} does without it"
            raise KeyboardInterrupt(f"interrupted while the plugin {title} was loaded; {way}") from error
        finally:
            record = self._records[key]
            self._records[key] = attrs.evolve(record, seconds=record.seconds + time.perf_counter() - start)

    def _blame(self, key: str, error: str, status: Status = "failed") -> None:
        """Record what a plugin did wrong, beside what it did wrong before."""
        record = self._records[key]
        errors = error if record.error is None else f"{record.error}; {error}"
        self._records[key] = attrs.evolve(record, status=status, error=errors)

    # ------------------------------------------------------------------ collecting

    @functools.cached_property
    def _observers(self) -> list[tuple[str, Callable[..., object]]]:
        return self._implementations("roleforge_event")

    def _implementations(self, hook: str) -> list[tuple[str, Callable[..., object]]]:
        """(plugin, function) of every plugin that implements *hook*, in the order of registration."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return [(impl.plugin_name, impl.function) for impl in caller.get_hookimpls()]

    def _offers(self, kind: OfferKind) -> Offers:
        with self._collecting:
            if kind not in self._collected:
                # Kept before it is filled: a plugin that asks the host while it lists finds what is there so far.
                reserved = hookspecs.OWN_COMMANDS if kind is OfferKind.COMMAND else ()
                self._collected[kind] = Offers(kind, self.overridden, reserved)
                self._collect(kind, self._collected[kind])
            return self._collected[kind]

    def _collect(self, kind: OfferKind, offers: Offers) -> None:
        for key, function in self._implementations(HOOKS[kind]):
            for name, item in self._listed(key, kind, function):
                self._provides(key, f"{kind.value} {name}")
                for loser, reason in offers.add(name, Offer(item, key, self._records[key])):
                    self._blame(loser, reason, "conflict")

    def _listed(self, key: str, kind: OfferKind, function: Callable[..., object]) -> list[tuple[str, object]]:
        try:
            with self._timed(key), isolated():
                right, wrong = offers_in(kind, function())
        except PluginFault as fault:
            right, wrong = [], [str(fault)]
        for error in wrong:
            self._blame(key, f"{HOOKS[kind]}: {error}")
        return right

    def _provides(self, key: str, what: str) -> None:
        record = self._records[key]
        self._records[key] = attrs.evolve(record, provides=(*record.provides, what))

    def _does(self, key: str) -> list[str]:
        return [what for hook, what in _DOES.items() if any(name == key for name, _ in self._implementations(hook))]

    # ------------------------------------------------------------------ asking

    def _find(self, kind: OfferKind, name: str) -> object | None:
        offers = self._offers(kind)
        if (offer := offers.get(name)) is not None:
            return offer.item
        if (conflict := offers.conflict(name)) is not None:
            raise PluginError(conflict)
        for key, record in self._records.items():
            if record.status in {"failed", "incompatible", "disabled"} and self._candidates[key].mentions(name):
                raise PluginError(f"the {kind.value} {name!r} needs the plugin {record.title}, which {record.reason}")
        return None

    def _require(self, kind: OfferKind, name: str) -> object:
        found = self._find(kind, name)
        if found is None:
            raise PluginError(nobody_offers(kind.value, name, self._offers(kind).names()))
        return found


def _checked(failure: object) -> Failure:
    from roleforge_llm.attempts import Failure

    if isinstance(failure, Failure) and isinstance(failure.error, BackendError):
        return failure
    raise TypeError(f"it gave an object of type {type(failure).__name__}, not a Failure with a BackendError")


def _names(text: str) -> Iterator[str]:
    return filter(None, (name.strip() for name in text.split(",")))


def _free_key(name: str, taken: Mapping[str, object]) -> str:
    keys = (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3)))
    return next(key for key in keys if key not in taken)


@functools.cache
def default_host() -> PluginHost:
    """The host that everything uses which is not given another: all installed plugins, found once per process."""
    return PluginHost()
