"""How well servers do, and which of those that do is the next. Pure functions of their health."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from roleforge_llm import Health

__all__ = ["ORDERS", "Key", "Known", "is_due", "is_well"]

Known: TypeAlias = Mapping[str, Health]
Key: TypeAlias = Callable[[str, Known], tuple[float, ...]]
"""What a server is sorted by, lowest first, among those that *known* has."""

_PATIENCE = 2
"""Failures in a row that make a server a failing one. One can be bad luck: some close a connection as it is used."""

_LEAST_SHARE = 25
"""``fastest`` measures a server again that had this part of an equal share of the recent attempts, or less."""


def is_well(health: Health) -> bool:
    """Whether a server may be expected to answer."""
    return health.consecutive_failures < _PATIENCE


def is_due(health: Health, rest: float) -> bool:
    """Whether a failing server has rested for *rest* seconds, since it failed and since somebody tried it."""
    last = [time for time in (health.last_failure, health.last_start) if time is not None]
    return health.now - max(last, default=health.now) >= rest


def _least_in_flight(name: str, known: Known) -> tuple[float, ...]:
    return known[name].in_flight, known[name].recent


def _weighted(weights: Mapping[str, float]) -> Key:
    """The one that is furthest behind its share. The half is Webster's: without it small shares come out too large."""
    return lambda name, known: ((known[name].recent + 0.5) / weights.get(name, 1.0),)


def _fastest(name: str, known: Known) -> tuple[float, ...]:
    """The least time to wait, taking it that all that is in flight is served one after another.

    What was never measured comes last, so that not all wait for it; but one call goes first to a server that had
    next to none lately.
    """
    health = known[name]
    latency = float("inf") if health.latency is None else health.latency
    return float(not _is_forgotten(health, known)), latency * (health.in_flight + 1), health.in_flight


def _is_forgotten(health: Health, known: Known) -> bool:
    total = sum(each.recent for each in known.values())
    return health.in_flight == 0 and health.recent * _LEAST_SHARE * len(known) <= total


ORDERS: Mapping[str, Callable[[Mapping[str, float]], Key]] = {
    "least-in-flight": lambda _: _least_in_flight,
    "weighted": _weighted,
    "fastest": lambda _: _fastest,
}
"""The orders by name, each made of the servers' weights."""
