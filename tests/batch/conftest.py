"""Clients over scripted backends, and rows for them."""

from __future__ import annotations

import asyncio

import pytest

import roleforge_llm as rf
from roleforge_llm import hookimpl
from roleforge_llm.config import parse_config


class Gated(rf.Backend):
    """Answers when it is let: counts how many requests are with it at once, and can hold or fail them."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.asked: list[str] = []
        self.held: set[str] = set()
        self.failing: dict[str, Exception] = {}
        self.seconds = 0.0
        self._released = asyncio.Event()

    def release(self) -> None:
        self._released.set()

    async def acomplete(self, request: rf.Request) -> rf.Completion:
        text = request.messages[-1].text
        self.asked.append(text)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds)
            if text in self.held:
                await self._released.wait()
            if text in self.failing:
                raise self.failing[text]
        finally:
            self.now -= 1
        return rf.Completion(f"re: {text}", "stop", usage=rf.Usage(2, 3, 5))


class GatedPlugin:
    def __init__(self, backends: dict[str, Gated]) -> None:
        self.backends = backends

    @hookimpl
    def roleforge_backends(self):
        return [rf.BackendSpec(name, lambda backend=backend: backend) for name, backend in self.backends.items()]


@pytest.fixture
def gated():
    """Makes a client, and a backend for each profile: ``client, a, b = gated(a={...}, b={...})``."""

    def making(**profiles):
        backends = {name: Gated() for name in profiles}
        config = parse_config(
            {"profiles": {name: {"backend": name, **settings} for name, settings in profiles.items()}}
        )
        host = rf.PluginHost(entry_points=True, plugins=[GatedPlugin(backends)])
        return rf.AsyncClient(config, host), *backends.values()

    return making


def row(text, **more):
    return {"messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
def rows():
    return lambda count: [row(f"{number}", id=f"r{number}") for number in range(1, count + 1)]
