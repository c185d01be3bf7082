"""Fixtures that pytest finds by itself where roleforge-llm is installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

__all__ = ["no_waiting"]


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """No waits between retries: see :func:`roleforge_llm.testing.no_waiting`."""
    from roleforge_llm.testing.waiting import no_waiting as without_waiting

    with without_waiting():
        yield
