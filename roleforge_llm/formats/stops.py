"""Cutting a reply at its stop sequences, however it arrives."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["StopCutter"]


class StopCutter:
    """Cuts one reply at the earliest stop sequence, the longest of those that begin there.

    *stops* are the stop sequences; empty ones count for nothing. *prefix* is removed once from the very beginning,
    *suffix* once from the end (before a stop sequence, or at the end of a complete reply). The result does not depend
    on how the text is cut into pieces: no stop text comes out, and nothing else is lost. A continued reply (after a
    prefill) has no prefix: give "".
    """

    def __init__(self, stops: Iterable[str], *, prefix: str = "", suffix: str = "") -> None:
        found = sorted({stop for stop in stops if stop}, key=len, reverse=True)
        self.matched: str | None = None
        """The stop sequence that ended the text."""
        self._search = re.compile("|".join(map(re.escape, found))).search if found else None
        self._beginnings = _beginnings(found)
        self._cuts = bool(found or suffix)
        self._prefix = prefix
        self._suffix = suffix
        self._held = ""
        self._received: list[str] = []
        self._given = 0
        self._ended: int | None = None

    @property
    def raw(self) -> str:
        """All text received, without the prefix and from a stop sequence on: what a continuation begins with."""
        received = "".join(self._received)
        if not self._received and self._prefix:
            received = self._held
        return received[: self._ended]

    def feed(self, text: str) -> str:
        """Take the next piece, give what can safely be handed out now. After a stop sequence that is nothing."""
        if self.matched is not None or not text:
            return ""
        if self._prefix:
            text = self._without_prefix(text)
            if not text:
                return ""
        self._received.append(text)
        if not self._cuts:
            self._given += len(text)
            return text
        self._held += text
        return self._release()

    def finish(self, complete: bool = True) -> str:
        """The rest of the text. A reply that is not *complete* (the token limit cut it) keeps its suffix."""
        if self._prefix:
            self._prefix = ""
            self._received.append(self._held)
        match = self._search(self._held) if self._search and self._held else None
        if match:
            return self._end(match)
        tail, self._held = self._held, ""
        self._given += len(tail)
        return tail.removesuffix(self._suffix) if complete else tail

    def _without_prefix(self, text: str) -> str:
        """*text* after the prefix; "" while the prefix may still be arriving."""
        text = self._held + text
        if len(text) < len(self._prefix) and self._prefix.startswith(text):
            self._held = text
            return ""
        prefix, self._prefix, self._held = self._prefix, "", ""
        return text.removeprefix(prefix)

    def _release(self) -> str:
        held = self._held
        open_from = self._open_from(held)
        match = self._search(held) if self._search else None
        # A stop sequence that has begun no later may still turn out to be the earlier or the longer one.
        if match and match.start() < open_from:
            return self._end(match)
        keep = open_from - self._suffix_tail(held[:open_from])
        self._held = held[keep:]
        self._given += keep
        return held[:keep]

    def _end(self, match: re.Match[str]) -> str:
        text = self._held[: match.start()]
        self.matched = match.group()
        self._ended = self._given + len(text)
        self._held = ""
        return text.removesuffix(self._suffix)

    def _open_from(self, held: str) -> int:
        """Where the earliest stop sequence begins that the next piece could complete; the length if none does."""
        for length, stop in self._beginnings.get(held[-1], ()):
            if held.endswith(stop[:length]):
                return len(held) - length
        return len(held)

    def _suffix_tail(self, text: str) -> int:
        """How many characters at the end of *text* could be the suffix or its beginning."""
        for length in range(min(len(self._suffix), len(text)), 0, -1):
            if text.endswith(self._suffix[:length]):
                return length
        return 0


def _beginnings(stops: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """The proper beginnings of *stops* by their last character, the longest first.

    A piece of text that ends in no such character, which is nearly every one, needs no closer look.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    for stop in stops:
        for length in range(1, len(stop)):
            found.setdefault(stop[length - 1], []).append((length, stop))
    for lengths in found.values():
        lengths.sort(key=lambda item: item[0], reverse=True)
    return found
