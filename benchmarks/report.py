"""Rows of the table of performance, as text, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import attrs

__all__ = ["HEADER", "Figure", "Row"]

HEADER = "| what | measured against | roleforge-llm | target | | peers |\n|---|---|---|---|---|---|"


@attrs.frozen
class Figure:
    """What one contender costs: the *middle* of its values (a ratio, or a number with a *unit*) and their quartiles.

    *seconds* is the CPU time of one operation on this machine, for a feeling of it. *missing* says why there is
    no figure.
    """

    title: str
    middle: float = 0.0
    low: float = 0.0
    high: float = 0.0
    seconds: float | None = None
    unit: str = "x"
    missing: str | None = None

    @property
    def value(self) -> str:
        """The number with its unit."""
        if self.missing is not None:
            return self.missing
        return f"{_rounded(self.middle)}{'' if self.unit == 'x' else ' '}{self.unit}"

    @property
    def full(self) -> str:
        """The number with its quartiles, and what they are a ratio of."""
        if self.missing is not None:
            return self.missing
        spread = "" if self.low == self.high else f" ({_rounded(self.low)} to {_rounded(self.high)})"
        return self.value + spread + (f", {_time(self.seconds)}" if self.seconds is not None else "")


@attrs.frozen
class Row:
    """One line of the table. *target* is the most that *ours* may be, in the unit of its figure."""

    what: str
    against: Figure
    ours: Figure
    peers: tuple[Figure, ...] = ()
    target: float | None = None

    @classmethod
    def read(cls, data: Mapping[str, object]) -> Self:
        """The row from what JSON holds of it."""
        figures = {"against": Figure(**data["against"]), "ours": Figure(**data["ours"])}  # type: ignore[arg-type]  # our own JSON
        peers = tuple(Figure(**peer) for peer in data["peers"])  # type: ignore[attr-defined]  # our own JSON
        return cls(**{**data, **figures, "peers": peers})  # type: ignore[arg-type]  # as above

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.target is None:
            return ""
        return "met" if self.ours.missing is None and self.ours.middle <= self.target else "MISSED"

    def text(self) -> str:
        """A few lines for people."""
        target = "" if self.target is None else f"   target {_rounded(self.target)}: {self.verdict}"
        lines = [f"{self.what}", f"    {self.against.title:<28} {self.against.full}"]
        lines += [f"    {self.ours.title:<28} {self.ours.full}{target}"]
        lines += [f"    {peer.title:<28} {peer.full}" for peer in self.peers]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The line of the table."""
        target = "" if self.target is None else f"≤ {_rounded(self.target)} {self.ours.unit}"
        peers = ", ".join(f"{peer.title}: {peer.value}" for peer in self.peers)
        spread = (
            "" if self.ours.low == self.ours.high else f" ({_rounded(self.ours.low)} to {_rounded(self.ours.high)})"
        )
        ours = f"**{self.ours.value}**{spread}"
        cells = (self.what, self.against.title, ours, target, self.verdict, peers)
        return f"| {' | '.join(cells)} |"


def _rounded(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.2g}" if abs(number) < 1 else f"{number:.3g}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"
