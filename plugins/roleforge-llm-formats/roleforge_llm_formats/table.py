"""The page of the documentation that lists the formats: ``python -m roleforge_llm_formats.table > docs/FORMATS.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from roleforge_llm import Conversation, Message, PromptFormat
from roleforge_llm_formats import roleforge_formats

__all__ = ["page"]

_HEAD = """\
# Format library

The formats of the plugin `roleforge-llm-formats`, beside the four built-in ones of [Prompt formats and templates](TEMPLATE_GUIDE.md). A profile names one under `template`; `roleforge-llm render --format NAME` shows its bytes.

    pip install roleforge-llm-formats

How to read the table:

- **system messages**: *anywhere*: each has a turn of its own where it stands. *At the beginning*: the opening one has its place, a later one joins the next user message. *In user turns*: the format has no place for one; each joins the next user message. Nothing is dropped.
- **own text**: the format writes a default system text when the conversation has no system message. An empty system message turns it off.
- **BOS**: who writes the token for the beginning of the text.
- **removed**: what is taken off a reply, as `reply_prefix` … `reply_suffix`.
- **source**: where the bytes are from. FastChat is its commit 0e6d3e4beaab; a chat template is rendered by transformers 5.23.0. The plugin's tests compare the bytes.

"""  # noqa: E501  # in Markdown a paragraph is one line
_COLUMNS = ("format", "use it for", "system messages", "own text", "stop sequences", "BOS", "removed", "source")
_SYSTEM = {"any": "anywhere", "first": "at the beginning", "none": "in user turns"}


def page() -> str:
    """The whole page, in Markdown."""
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_row, roleforge_formats())]
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(found: PromptFormat) -> Sequence[str]:
    removed = [_code(found.reply_prefix)] if found.reply_prefix else []
    if found.reply_suffix:
        removed.append("… " + _code(found.reply_suffix))
    return (
        f"`{found.name}`",
        found.description,
        _SYSTEM[found.system_turns],
        "yes" if _has_own_text(found) else "",
        _codes(found.stop),
        found.bos,
        " ".join(removed),
        found.source.replace("|", "\\|"),
    )


def _has_own_text(found: PromptFormat) -> bool:
    user = Message("user", "u")
    return len(found.render(Conversation((user,)))) > len(found.render(Conversation((Message("system", ""), user))))


def _codes(texts: Iterable[str]) -> str:
    return " ".join(map(_code, texts))


def _code(text: str) -> str:
    return "`" + text.replace("\n", "\\n").replace("|", "\\|").replace(" ", "␣") + "`"


if __name__ == "__main__":
    sys.stdout.write(page())
