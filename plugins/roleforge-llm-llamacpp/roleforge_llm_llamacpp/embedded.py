"""The servers that run for profiles without a base URL: one for each model file and size of context."""

from __future__ import annotations

import time
from pathlib import Path

import attrs

from roleforge_llm import FormatError, Profile, Sampler, Secret
from roleforge_llm.formats.gguf import read_gguf
from roleforge_llm_llamacpp.models import model_file
from roleforge_llm_llamacpp.server import DEFAULT_CONTEXT, STARTING, LlamaServer

__all__ = ["EmbeddedServers", "window_of"]


class EmbeddedServers:
    """Servers started on first use, shared by all profiles, threads and event loops.

    Profiles that ask for more context than the default get a server of that size. A server that has died is
    started again by the next look-up.
    """

    def __init__(self) -> None:
        self._servers: dict[tuple[Path, int], LlamaServer] = {}

    def located(self, profile: Profile, sampler: Sampler, deadline: float | None = None) -> Profile:
        """*profile* with the address and the key of its server, which is started if need be, and waited for.

        A profile that names a server stays as it is.
        """
        if profile.base_url is not None:
            return profile
        server = self._server(profile, sampler)
        return _addressed(profile, server, server.url(_patience(profile, deadline)))

    async def alocated(self, profile: Profile, sampler: Sampler, deadline: float | None = None) -> Profile:
        """:meth:`located` for asyncio."""
        if profile.base_url is not None:
            return profile
        server = self._server(profile, sampler)
        return _addressed(profile, server, await server.aurl(_patience(profile, deadline)))

    def close(self) -> None:
        """End every server."""
        with STARTING:
            servers, self._servers = self._servers, {}
        for server in servers.values():
            server.close()

    def _server(self, profile: Profile, sampler: Sampler) -> LlamaServer:
        wanted = sampler.max_context_tokens or DEFAULT_CONTEXT
        key = model_file(profile.model), max(wanted, DEFAULT_CONTEXT)
        with STARTING:
            server = self._servers.get(key)
            if server is None or not server.alive:
                server = self._servers[key] = LlamaServer(*key)
        return server


def window_of(profile: Profile) -> int:
    """The window of the server of a *profile* that sets none. Starts nothing: the model file says what it allows.

    Raises :class:`BackendError` for a file that is none.
    """
    try:
        found = read_gguf(model_file(profile.model), lambda key: key.endswith(".context_length"))
    except FormatError:  # the engine says better what is wrong with it
        return DEFAULT_CONTEXT
    return min([DEFAULT_CONTEXT, *(value for value in found.values() if isinstance(value, int) and value > 0)])


def _patience(profile: Profile, deadline: float | None) -> float | None:
    """How many seconds a model may take to load."""
    limits = [profile.timeouts.first_token, profile.timeouts.attempt]
    if deadline is not None:
        limits.append(max(0.0, deadline - time.monotonic()))
    return min((limit for limit in limits if limit is not None), default=None)


def _addressed(profile: Profile, server: LlamaServer, url: str) -> Profile:
    return attrs.evolve(profile, base_url=url, api_key=Secret(server.key), api_key_env=None)
