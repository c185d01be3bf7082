"""The question for a server's own chat template, asked like those of fitting."""

from __future__ import annotations

import attrs

from roleforge_llm.backends import Backend
from roleforge_llm.formats import ServedFormat
from roleforge_llm.profiles import Profile

__all__ = ["WhichTemplate"]


@attrs.frozen
class WhichTemplate:
    """Which chat template does this profile's server have? *format* learns the answer, and fails on a bad one."""

    profile: Profile
    format: ServedFormat

    def ask(self, backend: Backend) -> None:
        """Ask, waiting for the answer."""
        self.format.learn(backend.server_template(self.profile))

    async def aask(self, backend: Backend) -> None:
        """Ask, awaiting the answer."""
        self.format.learn(await backend.aserver_template(self.profile))
