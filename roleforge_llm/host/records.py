"""What is known of a plugin, whether or not it could be loaded."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

import attrs

__all__ = ["OWN_DISTRIBUTION", "PluginRecord", "Status"]

Status = Literal["loaded", "disabled", "incompatible", "failed", "conflict"]

OWN_DISTRIBUTION = "roleforge-llm"


@attrs.frozen
class PluginRecord:
    """A plugin and how it fared.

    *distribution* and *version* are empty for a plugin that was registered in code. *provides* lists
    "format chatml", "backend llamacpp" and so on. *error* is the original error where there is one.
    """

    name: str
    distribution: str = ""
    version: str = ""
    status: Status = "loaded"
    provides: tuple[str, ...] = ()
    error: str | None = None

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
        normalized = {_normalized(name) for name in names}
        return _normalized(self.name) in normalized or _normalized(self.distribution) in normalized - {""}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
