"""The context windows of servers, asked once and kept as long as their server seems to be the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from roleforge_llm import BackendError, Profile

__all__ = ["Windows"]


class Windows:
    """The windows that are known, by profile; None is one that a server does not tell."""

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, str], int | None] = {}

    def __contains__(self, profile: Profile) -> bool:
        return _key(profile) in self._known

    def __getitem__(self, profile: Profile) -> int | None:
        return self._known.get(_key(profile))

    def __setitem__(self, profile: Profile, window: int | None) -> None:
        self._known[_key(profile)] = window

    @contextmanager
    def doubted(self, profile: Profile) -> Iterator[None]:
        """Forgets the window of a server whose request fails in here: it may come back with another one."""
        try:
            yield
        except BackendError:
            self._known.pop(_key(profile), None)
            raise


def _key(profile: Profile) -> tuple[str | None, str]:
    return profile.base_url, profile.model
