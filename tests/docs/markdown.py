"""What the tests need to know of a Markdown page: its code blocks, its headings and its links.

A line ``<!-- docs: WORDS -->`` is a directive to the test run; readers do not see it. See CONTRIBUTING.md.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs

__all__ = ["REPOSITORY", "Block", "Directive", "Page", "all_pages", "heading_slug"]

REPOSITORY = Path(__file__).parents[2]

_FENCE = re.compile(
    r"^(?P<indent>[ ]*)```(?P<language>\w*)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"^<!-- docs: (?P<words>.*?) -->$", re.MULTILINE)
_TITLE = re.compile(r'\btitle="([^"]+)"')
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`")


@attrs.frozen
class Block:
    """A fenced block. *title* is the file that it is the content of; *follows* says that only white space stands before."""

    language: str
    text: str
    line: int
    title: str | None = None
    follows: bool = False


@attrs.frozen
class Directive:
    """An instruction to the test run."""

    words: str
    line: int


@attrs.frozen
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Page:
        return cls(path, path.read_text(encoding="utf-8"))

    @property
    def name(self) -> str:
        return str(self.path.relative_to(REPOSITORY))

    @property
    def items(self) -> list[Block | Directive]:
        """Blocks and directives, in the order of the page."""
        found: list[tuple[int, Block | Directive]] = list(self._blocks())
        prose = self._prose()
        found += [(m.start(), Directive(m["words"], self._line(m.start()))) for m in _DIRECTIVE.finditer(prose)]
        return [item for _, item in sorted(found, key=lambda pair: pair[0])]

    @property
    def anchors(self) -> set[str]:
        """What ``#...`` can lead to: headings in GitHub's spelling, repeated ones numbered."""
        seen: Counter[str] = Counter()
        found = set()
        for heading in _HEADING.findall(self._prose()):
            slug = heading_slug(heading)
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        return found

    @property
    def links(self) -> list[str]:
        """The targets of all links outside of code."""
        return _LINK.findall(_CODE.sub("", self._prose()))

    def _blocks(self) -> Iterator[tuple[int, Block]]:
        end = 0
        for match in _FENCE.finditer(self.text):
            title = _TITLE.search(match["info"])
            follows = end > 0 and not self.text[end : match.start()].strip()
            block = Block(
                language=match["language"],
                text=textwrap.dedent(match["text"]) if match["indent"] else match["text"],
                line=self._line(match.start()),
                title=title[1] if title else None,
                follows=follows,
            )
            yield match.start(), block
            end = match.end()

    def _prose(self) -> str:
        """The text with blocks blanked out, so that positions stay."""
        return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), self.text)

    def _line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1


def heading_slug(heading: str) -> str:
    """What a heading is called in a link, in GitHub's spelling."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def all_pages() -> list[Page]:
    """Every page that this repository shows to readers."""
    paths = [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        REPOSITORY / "CHANGELOG.md",
        *sorted((REPOSITORY / "docs").glob("*.md")),
        *sorted((REPOSITORY / "plugins").glob("*/README.md")),
    ]
    return [Page.read(path) for path in paths]
