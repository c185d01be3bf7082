"""What plugins offer under a name, and who wins when two offer the same."""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from typing import NamedTuple

from roleforge_llm.host.records import PluginRecord, normalized

__all__ = ["Offer", "OfferKind", "Offers"]


class OfferKind(enum.Enum):
    """What can be offered by name, each by its own hook."""

    FORMAT = "format"
    BACKEND = "backend"
    POLICY = "failure policy"
    COMMAND = "command"


class Offer(NamedTuple):
    """Something that a plugin (known to the host as *plugin*) offers under a name."""

    item: object
    plugin: str
    record: PluginRecord


class Offers:
    """All offers of one kind by name.

    A built-in name is replaced only where *overridden* lists it, a *reserved* one never. Two third parties
    with one name are a conflict: neither gets it, both stay reachable as ``distribution:name``.
    """

    def __init__(self, kind: OfferKind, overridden: Collection[str], reserved: Collection[str] = ()) -> None:
        self._kind = kind
        self._overridden = overridden
        self._reserved = reserved
        self._offers: dict[str, Offer] = {}
        self._qualified: dict[tuple[str, str], Offer] = {}
        self._conflicts: dict[str, list[Offer]] = {}

    def add(self, name: str, offer: Offer) -> list[tuple[str, str]]:
        """Take an offer. Gives (plugin, reason) for each plugin that is in conflict because of it."""
        other = self._offers.get(name)
        if other is not None and other.plugin == offer.plugin:
            return [(offer.plugin, f"it offers the {self._kind.value} {name} twice")]
        self._qualified[normalized(offer.record.owner), name] = offer
        if name in self._reserved:
            return [(offer.plugin, f"the {self._kind.value} {name} is built in")]
        if name in self._conflicts:
            return self._quarrel(name, [*self._conflicts[name], offer])[-1:]
        if other is None or (other.record.is_own and name in self._overridden):
            self._offers[name] = offer
            return []
        if other.record.is_own:
            way = f'to replace it, list "{name}" under override in [plugins]'
            return [(offer.plugin, f"the {self._kind.value} {name} is built in; {way}")]
        del self._offers[name]
        return self._quarrel(name, [other, offer])

    def _quarrel(self, name: str, owners: list[Offer]) -> list[tuple[str, str]]:
        """Keep *name* as a conflict of *owners*, and tell each of them who else offers it."""
        self._conflicts[name] = owners
        reasons = []
        for owner in owners:
            others = " and ".join(other.record.title for other in owners if other is not owner)
            reasons.append((owner.plugin, f"the {self._kind.value} {name} is offered by {others} too"))
        return reasons

    def get(self, name: str) -> Offer | None:
        """The offer of that name or ``distribution:name``, the distribution spelt as pip takes it."""
        distribution, _, bare = name.partition(":")
        return self._offers.get(name) or self._qualified.get((normalized(distribution), bare))

    def names(self) -> Sequence[str]:
        """All names that can be asked for, built-in ones first."""
        return list(self._offers)

    def conflict(self, name: str) -> str | None:
        """Why *name* cannot be had although it is offered, or None."""
        if name not in self._conflicts:
            return None
        owners = self._conflicts[name]
        titles = " and ".join(offer.record.title for offer in owners)
        ways = " or ".join(f"{offer.record.owner}:{name}" for offer in owners)
        return f"the {self._kind.value} {name!r} is offered by {titles}; write {ways}, or disable one of them"
