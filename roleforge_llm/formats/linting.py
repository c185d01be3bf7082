"""What is odd about a format, found by rendering marked texts with it: no server and no other format needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from roleforge_llm.errors import RoleforgeError
from roleforge_llm.formats.base import PromptFormat
from roleforge_llm.formats.probing import marked, split_at
from roleforge_llm.messages import Conversation

__all__ = ["BOS_TOKENS", "Finding", "lint_format"]

# ruff: noqa: RUF001  # DeepSeek's token has a fullwidth bar
BOS_TOKENS = ("<s>", "<|begin_of_text|>", "<bos>", "<｜begin▁of▁sentence｜>", "<|startoftext|>", "<BOS_TOKEN>")
"""What tokenizers of open models call the token for the beginning of a text."""

_SHAPES = (
    ("user",),
    ("system", "user"),
    ("user", "assistant", "user"),
    ("system", "user", "assistant", "user", "assistant", "user"),
)


@attrs.frozen
class Finding:
    """One odd thing. *rule* is a short stable word for it, *message* says what it is and what follows.

    Rules: refused, content, system-place, generation-prompt, reply-prefix, trailing-space, double-bos, stop-missing,
    stop-late, stop-early, stop-unwritten, stop-ordinary.
    """

    rule: str
    message: str

    def __str__(self) -> str:
        return self.message


@attrs.frozen
class _Rendered:
    """One rendering: *gaps* stand before, between and after the contents of *roles*."""

    roles: Sequence[str]
    text: str
    gaps: Sequence[str]

    def around_replies(self) -> Iterator[tuple[str, str]]:
        """What stands before and after each of the assistant's texts."""
        for index, role in enumerate(self.roles):
            if role == "assistant":
                yield self.gaps[index], self.gaps[index + 1]


def lint_format(found: PromptFormat) -> tuple[Finding, ...]:
    """Everything odd about *found*, each once; empty where every rule holds.

    Every text of a message stands in the prompt once and in order (some formats move the system message, which is
    told); what follows the last user message is the
    generation prompt, and replies in the conversation stand after the same text; a stop sequence ends each
    of them; the beginning is not marked twice.
    """
    findings: list[Finding] = []
    rendered: list[_Rendered] = []
    for roles in _SHAPES:
        outcome = _render(found, roles)
        (findings if isinstance(outcome, Finding) else rendered).append(outcome)  # type: ignore[arg-type]  # by type
    if not rendered:
        return tuple(findings)
    for rule in (_generation_prompt, _bos, _stops):
        findings += rule(found, rendered)
    return tuple(dict.fromkeys(findings))


def _render(found: PromptFormat, roles: Sequence[str]) -> _Rendered | Finding:
    messages = marked(*roles)
    shape = ", ".join(roles)
    try:
        text = found.render(Conversation(messages))
    except RoleforgeError as error:
        return Finding("refused", f"a conversation of {shape} is refused: {error}")
    gaps = split_at(text, [message.text for message in messages])
    if gaps is not None:
        return _Rendered(roles, text, gaps)
    if split_at(text, [message.text for message in messages[1:]]) and text.count(messages[0].text) == 1:
        return Finding(
            "system-place", f"in a conversation of {shape} the opening {roles[0]} message stands further down"
        )
    return Finding("content", f"in a conversation of {shape} not every text stands in the prompt once and in order")


def _generation_prompt(found: PromptFormat, rendered: Sequence[_Rendered]) -> Iterator[Finding]:
    for each in rendered:
        closing = each.gaps[-1]
        if not closing:
            yield Finding("generation-prompt", "the generation prompt is missing: the prompt ends with the user's text")
        if closing[-1:] in {" ", "\t"}:
            yield Finding(
                "trailing-space", f"the prompt ends with a space ({closing[-20:]!r}), which tokens begin with"
            )
        for before, after in each.around_replies():
            yield from _begun_alike(found, closing, before)
            if (rest := before.removeprefix(closing)).strip() and after.startswith(closing):
                # What follows the user's text only ends a turn: it follows a reply as well.
                yield Finding("generation-prompt", f"the generation prompt is missing: {rest!r} should follow")


def _begun_alike(found: PromptFormat, closing: str, before: str) -> Iterator[Finding]:
    rest = before.removeprefix(closing)
    if not before.startswith(closing) and not closing.startswith(before.rstrip()):
        yield Finding(
            "generation-prompt",
            f"the generation prompt is {closing!r}, but earlier replies stand after {before!r}; the model knows one",
        )
    elif before.startswith(closing) and not rest.strip() and rest != found.reply_prefix:
        yield Finding(
            "reply-prefix",
            f"replies stand after {rest!r} in the conversation, and reply_prefix is {found.reply_prefix!r}",
        )
    elif stop := next((stop for stop in found.stop if before.startswith(closing) and stop in rest), None):
        yield Finding("stop-early", f"the stop sequence {stop!r} stands before every reply and would end it at once")


def _bos(found: PromptFormat, rendered: Sequence[_Rendered]) -> Iterator[Finding]:
    text = rendered[0].text
    for token in dict.fromkeys(filter(None, (found.bos_token, *BOS_TOKENS))):
        twice = text.startswith(token * 2)
        # Where the format knows its own token, it also knows whether the server adds one.
        if twice or (text.startswith(token) and found.bos == "server" and token != found.bos_token):
            yield Finding(
                "double-bos",
                f"double BOS: the prompt begins with {token!r}, and the server adds its own; "
                f'leave it out, or set bos = "template"',
            )


def _stops(found: PromptFormat, rendered: Sequence[_Rendered]) -> Iterator[Finding]:
    for each in rendered:
        for _, after in each.around_replies():
            yield from _ended(found, after)
    for stop in found.stop:
        if not any(stop in each.text for each in rendered):
            yield Finding("stop-unwritten", f"the stop sequence {stop!r} is nowhere in the format's own text")
        if stop.isspace() or stop.strip().isalnum():
            yield Finding("stop-ordinary", f"the stop sequence {stop!r} is ordinary text and would cut replies short")


def _ended(found: PromptFormat, after: str) -> Iterator[Finding]:
    first = min((at for stop in found.stop if (at := after.find(stop)) >= 0), default=None)
    if first is None:
        yield Finding("stop-missing", f"no stop sequence ends a reply, after which the format writes {after!r}")
    elif after[:first].strip():
        yield Finding("stop-late", f"the format writes {after[:first]!r} between a reply and the stop sequence")
