"""Fixtures that pytest finds by itself where roleforge-llm is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from roleforge_llm.host import PluginHost

__all__ = ["no_waiting", "plugin_host"]


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """No waits between retries: see :func:`roleforge_llm.testing.no_waiting`."""
    from roleforge_llm.testing.waiting import no_waiting as without_waiting

    with without_waiting():
        yield


@pytest.fixture
def plugin_host() -> Callable[..., PluginHost]:
    """Makes a host that sees only the plugins given: see :func:`roleforge_llm.testing.plugin_host`."""
    from roleforge_llm.testing.hosts import plugin_host as host_of

    return host_of
