"""The pages that are made from the code: ``python -m tests.docs.generate`` writes them anew."""

from __future__ import annotations

from tests.docs import commands_page, hooks_page, reference_page
from tests.docs.markdown import REPOSITORY

__all__ = ["PAGES"]

PAGES = {
    "docs/reference.md": reference_page.page,
    "docs/hooks.md": hooks_page.page,
    "docs/commands.md": commands_page.page,
}
"""Each page, with the function that makes its text."""

if __name__ == "__main__":
    made = {path: page() for path, page in PAGES.items()}
    for path, text in made.items():
        (REPOSITORY / path).write_text(text, encoding="utf-8")
