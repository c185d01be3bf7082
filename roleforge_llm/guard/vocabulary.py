"""Which markers a prompt format has.

Its control tokens, its stop sequences where they are markers, the tokens for the beginning and end of a
text, tokens that stand in its template, and, for a format that declares no control tokens, what it is
seen to put around the messages of a small conversation.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from functools import lru_cache

import attrs

from roleforge_llm.formats import PromptFormat, TemplateFormat
from roleforge_llm.guard.literals import followers, literals, takes_apart
from roleforge_llm.guard.markers import Markers
from roleforge_llm.messages import ROLES, Conversation, Message

__all__ = ["Vocabulary", "vocabulary_of"]

_IN_SOURCE = re.compile(r"<[|\uff5c][^<>|\uff5c\s'\"{}]{1,60}[|\uff5c]>|\[/?[A-Z][A-Z_]{1,40}\]")
_IN_PROMPT = re.compile(r"<<?[|\uff5c/]*[\w▁.:-]+[|\uff5c]*>>?|\[/?\w*[A-Z]\w*\]")
_WORD = re.compile(r"(?:#+ ?)?[A-Z][A-Za-z0-9]*(?: [A-Z][A-Za-z0-9]*){0,3}:(?=\s*$)")
_STOP = re.compile(r"\s*([<\[{]\S*[>\]}]|\S.*\w.*:)\s*", re.DOTALL)
_LOOKED_FOR = re.compile(
    r"""(['"])(?P<in>[^'"]+)\1\s+(?:not\s+)?in\b|\.(?:r?split|r?partition|replace|[lr]?strip)\(\s*(['"])(?P<at>[^'"]+)\3"""
)
_SENTINEL = "Sentinel"
_PROBES = (
    ("system", "user", "assistant", "user"),
    ("user", "assistant", "user"),
    ("user", "assistant", "tool"),
)


@attrs.frozen
class Vocabulary:
    """The markers of one format.

    *markers* are all of them, *replies* those that the text of an assistant must not hold: without what the
    template itself looks for in it, such as the tags of reasoning. *closed* says that no text in the template
    ends within a marker, so that content with nothing a marker could begin with can complete none; *verbatim*
    that the template does nothing to texts but put them one after the other, and *sealed* that besides nothing it
    puts behind one could complete a marker that has begun in it.
    """

    markers: Markers
    replies: Markers
    closed: bool
    verbatim: bool
    sealed: bool


def vocabulary_of(format: PromptFormat) -> Vocabulary:  # noqa: A002  # the word for it everywhere else, too
    """The markers of *format*. A template's are found once per process."""
    if isinstance(format, TemplateFormat):
        return _of_template(format)
    declared = frozenset(_declared(format))
    return _of_code(format, declared) if isinstance(format, Hashable) else _of_code.__wrapped__(format, declared)


@lru_cache(maxsize=128)
def _of_code(format: PromptFormat, declared: frozenset[str]) -> Vocabulary:  # noqa: A002  # as above
    markers = Markers(declared if format.control_tokens else {*declared, *_seen(format)})
    return Vocabulary(markers, markers, closed=False, verbatim=False, sealed=False)


@lru_cache(maxsize=512)
def _of_template(template: TemplateFormat) -> Vocabulary:
    source = template.text + template.tool_text
    texts = {*_declared(template), template.eos_token, *_IN_SOURCE.findall(source)}
    if not template.control_tokens:
        texts.update(_seen(template))
    looked_for = {(match["in"] or match["at"]).strip() for match in _LOOKED_FOR.finditer(source)}
    markers = Markers(texts)
    replies = Markers(texts - looked_for) if texts & looked_for else markers
    verbatim = template.dialect == "native" and not takes_apart(source)
    # Formats join texts by a line break.
    behind = followers(source)
    sealed = verbatim and behind is not None and not markers.may_go_on_with(f"{behind}\n")
    return Vocabulary(markers, replies, closed=_is_closed(source, markers), verbatim=verbatim, sealed=sealed)


def _is_closed(source: str, markers: Markers) -> bool:
    if (found := literals(source)) is None:
        return False
    # What says who speaks is text of the template's, too.
    return not any(map(markers.may_go_on, [*found, *ROLES]))


def _declared(format: PromptFormat) -> Iterator[str]:  # noqa: A002  # as above
    yield from format.control_tokens
    yield from (text for text in format.stop if _STOP.fullmatch(text))
    yield format.bos_token


def _seen(format: PromptFormat) -> Iterator[str]:  # noqa: A002  # as above
    """What *format* puts around messages that hold nothing of it."""
    for roles in _PROBES:
        try:
            parts = format.render(Conversation(tuple(_probe(role) for role in roles))).split(_SENTINEL)
        except Exception:  # noqa: BLE001, S112  # a format may refuse any shape of conversation
            continue
        for part in parts:
            yield from _IN_PROMPT.findall(part)
            yield from _WORD.findall(part)


def _probe(role: str) -> Message:
    if role == "tool":
        return Message("tool", _SENTINEL, extra={"tool_call_id": "abcdefghi"})
    return Message(role, _SENTINEL)
