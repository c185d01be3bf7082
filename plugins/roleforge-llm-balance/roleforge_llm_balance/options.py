"""What a profile may say in ``policy_options``."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

import attrs

from roleforge_llm import ConfigError, Fault, Profile
from roleforge_llm_balance.orders import ORDERS

__all__ = ["OPTIONS", "Options", "pool", "read_options"]

_LONGEST_REST = 86_400
_LEAST_WEIGHT, _MOST_WEIGHT = 0.1, 100


@attrs.frozen
class Options:
    """Which server is next: *weights* are shares (1 where none is given), *rest* is in seconds."""

    order: str = "least-in-flight"
    weights: Mapping[str, float] = attrs.field(factory=dict)
    rest: float = 10.0


OPTIONS = tuple(field.name for field in attrs.fields(Options))


def pool(profile: Profile) -> Sequence[str]:
    """The servers that *profile* spreads its calls over: itself and its fallbacks."""
    return tuple(dict.fromkeys((profile.name, *profile.fallback_profiles)))


def read_options(profile: Profile) -> Options:
    """The options of *profile*, checked. Raises :class:`ConfigError` with every fault of them."""
    options = Options(**profile.policy_options)  # type: ignore[arg-type]  # their types are checked now
    if faults := [
        *_faults_of_order(options.order),
        *_faults_of_rest(options.rest),
        *_faults_of_weights(options, profile),
    ]:
        raise ConfigError(faults)
    return options


def _faults_of_order(order: object) -> Iterator[Fault]:
    if order not in tuple(ORDERS):
        yield Fault("order", f"must be one of {', '.join(ORDERS)}, not {order!r:.60}{_meant(order, ORDERS)}")


def _faults_of_rest(rest: object) -> Iterator[Fault]:
    if not _is_within(rest, 0, _LONGEST_REST):
        yield Fault("rest", f"must be a number of seconds from 0 to {_LONGEST_REST}, not {rest!r:.60}")


def _faults_of_weights(options: Options, profile: Profile) -> Iterator[Fault]:
    weights, servers = options.weights, pool(profile)
    if not isinstance(weights, Mapping):
        yield Fault("weights", f"must be a table with a number for each profile, not {weights!r:.60}")
        return
    if weights and options.order in tuple(ORDERS) and options.order != "weighted":
        yield Fault("weights", f'mean nothing to the order {options.order}; set order = "weighted" or leave them out')
    for name, weight in weights.items():
        if name not in servers:
            hint = _meant(name, servers) or f"; those are {', '.join(servers)}"
            yield Fault(f"weights.{name}", f"is neither this profile nor one of its fallbackProfiles{hint}")
        if not _is_within(weight, _LEAST_WEIGHT, _MOST_WEIGHT):
            wanted = f"must be a number from {_LEAST_WEIGHT} to {_MOST_WEIGHT}, not {weight!r:.60}"
            yield Fault(f"weights.{name}", f"{wanted}; to send nothing there, take it off fallbackProfiles")


def _is_within(value: object, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _meant(word: object, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
