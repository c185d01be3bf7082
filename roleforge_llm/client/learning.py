"""The question for a server's own chat template, asked like those of fitting."""

from __future__ import annotations

from collections.abc import Callable, Generator

import attrs

from roleforge_llm.backends import Backend
from roleforge_llm.client.targets import Target
from roleforge_llm.formats import ServedFormat
from roleforge_llm.profiles import Profile

__all__ = ["WhichTemplate", "learned"]


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


def learned(target: Target, asked: Callable[[], Profile]) -> Generator[WhichTemplate, object, None]:
    """Ask for the template of *target*, where it is the server's and not known yet; *asked* gives its profile."""
    if (unknown := target.unknown_format) is not None:
        yield WhichTemplate(asked(), unknown)
