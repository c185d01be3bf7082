"""What the documentation shows is what happens."""

import importlib.util
import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.markdown import Block, Page, all_pages
from tests.docs.running import PageRun

PAGES = all_pages()

NOT_RUN: dict[str, int] = {"docs/PERFORMANCE.md": 1}
"""How many blocks of a page cannot be run, each marked there with its reason."""


def needs_engine(page: Page) -> bool:
    return any(
        "llamacpp" in item.text or "roleforge-llm demo" in item.text for item in page.items if isinstance(item, Block)
    )


def require_engine() -> None:
    if importlib.util.find_spec("roleforge_llm_llamacpp") is None:
        reason = "the page uses the embedded engine; run `pip install ./plugins/roleforge-llm-llamacpp`"
        if os.environ.get("REQUIRE_LIVE_LLM") == "1":
            pytest.fail(f"REQUIRE_LIVE_LLM=1, but {reason}")
        pytest.skip(reason)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_does_what_the_page_shows(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if needs_engine(page):
        require_engine()
    with ExitStack() as stack:
        run = PageRun(page, tmp_path, stack, monkeypatch)
        run.run()
    assert len(run.not_run) == NOT_RUN.get(page.name, 0)
