"""What a built site would load from elsewhere: ``python -m tests.docs.offline FOLDER`` fails if there is anything."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

__all__ = ["loaded_from_elsewhere"]

_SOURCES = {"src", "srcset", "poster", "data"}
_NOT_LOADED = {"canonical", "author", "license", "help", "search", "next", "prev", "index"}
_IN_STYLES = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")
_ELSEWHERE = re.compile(r"(?:https?:)?//")


def loaded_from_elsewhere(folder: Path) -> list[str]:
    """Everything that pages or styles below *folder* load from another host, each with its file."""
    found = [f"{path}: {url}" for path in folder.rglob("*.html") for url in _in_page(path.read_text(encoding="utf-8"))]
    styles = [f"{path}: {url}" for path in folder.rglob("*.css") for url in _IN_STYLES.findall(path.read_text("utf-8"))]
    return sorted(found + styles)


def _in_page(text: str) -> Iterator[str]:
    parser = _Loads()
    parser.feed(text)
    yield from (url for url in parser.urls if _ELSEWHERE.match(url))
    yield from _IN_STYLES.findall(text)


class _Loads(HTMLParser):
    """Collects what a browser loads by itself; a link to follow is none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.urls += [value for name, value in given.items() if name in _SOURCES]
        if tag == "link" and not set(given.get("rel", "").split()) <= _NOT_LOADED:
            self.urls.append(given.get("href", ""))


if __name__ == "__main__":
    site = Path(sys.argv[1])
    if not any(site.rglob("*.html")):
        sys.exit(f"{site} has no pages")
    if elsewhere := loaded_from_elsewhere(site):
        sys.exit("\n".join(["the site must work without a network, but it loads:", *elsewhere]))
