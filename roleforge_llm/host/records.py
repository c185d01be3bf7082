"""What is known of a plugin, whether or not it could be loaded."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

import attrs

__all__ = ["OWN_DISTRIBUTION", "PluginRecord", "Status", "normalized"]

Status = Literal["loaded", "disabled", "incompatible", "failed", "conflict"]

OWN_DISTRIBUTION = "roleforge-llm"


@attrs.frozen
class PluginRecord:
    """A plugin and how it fared.

    *name* is its entry point's, or its module's or class's where it was registered in code; then *distribution* and
    *version* are empty. *status* is one of loaded, disabled, incompatible, failed and conflict. *provides* lists
    "format chatml", "backend llamacpp" and so on. *error* is the original error where there is one.
    *seconds* is how long its import and its listing of what it provides have taken: everybody waits for it.
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: Status = "loaded"
    provides: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = attrs.field(default=0.0, eq=False)

    @property
    def title(self) -> str:
        """Name, distribution and version in words."""
        return f"{self.name} ({self.distribution} {self.version})" if self.distribution else self.name

    @property
    def owner(self) -> str:
        """What stands before the colon in ``distribution:name``."""
        return self.distribution or self.name

    @property
    def reason(self) -> str:
        """Why it does not work, in words that follow "which"."""
        verb = "failed" if self.status == "failed" else f"is {self.status}"
        return f"{verb}: {self.error}" if self.error else verb

    @property
    def is_own(self) -> bool:
        """Whether this is the plugin that comes with the host."""
        return self.distribution == OWN_DISTRIBUTION

    def is_disabled_by(self, names: Collection[str]) -> bool:
        """Whether *names* (of plugins or distributions) disable it; "*" is every installed one but the host's own."""
        if "*" in names and self.distribution and not self.is_own:
            return True
        meant = {normalized(name) for name in names}
        return normalized(self.name) in meant or normalized(self.distribution) in meant - {""}


def normalized(name: str) -> str:
    """*name* as packaging tools compare it: runs of ``-``, ``_`` and ``.`` are one, and so are both cases."""
    return re.sub(r"[-_.]+", "-", name).lower()
