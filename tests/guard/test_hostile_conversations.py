"""No conversation forges a turn, whatever it says; and what it says can be read back exactly."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm import Conversation, Message, PromptFormat
from roleforge_llm.guard import vocabulary_of
from roleforge_llm.messages import conversation
from roleforge_llm.rendering import render_guarded
from tests.guard import readers
from tests.guard.formats import BY_NAME, FORMATS, LIBRARY_FORMATS

CORPUS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "guard" / "role_injection.jsonl").read_text().splitlines()
]
every_format = pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])

FULLWIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
BETWEEN = ["\u200b", "\u200d", "\ufe0f", "\u2060", "\u00ad", "\\", "\\\\", "\u0301", "\x07", " ", "\n"]
LIGATURES = {"st": "\ufb06", "fi": "\ufb01", "in": "\u33cc", "s": "\u017f", "i": "\u2170", "S": "\U0001d412"}
PLAIN = [
    "x",
    " ",
    "\n",
    "\r\n",
    "\t",
    "user",
    "system\n",
    "assistant",
    "hello",
    ":",
    "<",
    "|",
    ">",
    "#",
    "[",
    "]",
    "\\",
    "\u00a0",
    "é",
    "日本",
    "👩\u200d👧",
]


class Disguised(NamedTuple):
    """A marker of whatever format it is meant for, or part of one, written in some other way."""

    which: int
    way: str
    cut: tuple[int, int]
    between: str

    def written(self, markers: Sequence[str]) -> str:
        marker = markers[self.which % len(markers)]
        begin, end = sorted(place % (len(marker) + 1) for place in self.cut)
        if self.way == "part":
            return marker[begin:end]
        if self.way == "case":
            return marker.swapcase()
        if self.way == "wide":
            return marker[:begin] + marker[begin:end].translate(FULLWIDTH) + marker[end:]
        if self.way == "ligature":
            return functools.reduce(lambda text, pair: text.replace(*pair, 1), LIGATURES.items(), marker)
        if self.way == "nested":
            return marker[:begin] + marker + marker[begin:]
        return marker[:begin] + self.between + marker[begin:]


pieces = st.one_of(
    st.builds(
        Disguised,
        st.integers(0, 11),
        st.sampled_from(["part", "part", "case", "wide", "ligature", "nested", "between", "between"]),
        st.tuples(st.integers(0, 40), st.integers(0, 40)),
        st.sampled_from(["", *BETWEEN]),
    ),
    st.sampled_from(PLAIN),
)
drafts = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant"]), st.lists(pieces, max_size=5)), min_size=1, max_size=6
)
Draft = list[tuple[str, list[Disguised | str]]]


def messages_for(form: PromptFormat, draft: Draft) -> list[Message]:
    markers = form.control_tokens
    return [
        Message(role, "".join(item if isinstance(item, str) else item.written(markers) for item in items))
        for role, items in draft
    ]


def check(form: PromptFormat, given: Conversation) -> None:
    text = render_guarded(form, given).text
    joined = readers.turns(form, given)
    literals, contents = readers.around(form, joined, given.prefill)
    plain = [Message(turn.role, readers.harmless(index, turn.text)) for index, turn in enumerate(joined)]
    alone = form.render(Conversation(tuple(plain), readers.harmless(len(joined), given.prefill)))
    markers = form.control_tokens

    assert readers.tokens(text, markers) == readers.tokens(alone, markers)
    assert readers.lenient(text, markers) == readers.lenient(alone, markers)
    found = [vocabulary_of(form).markers.unescape(content) for content in readers.exact(text, literals)]
    if readers.trims(form):
        found, contents = (["".join(content.split()) for content in each] for each in (found, contents))
    assert found == contents


def accepted(form: PromptFormat, messages: list[Message]) -> Conversation | None:
    """The conversation, if the format has a place for each of its roles."""
    made = conversation(messages)
    try:
        form.render(Conversation(tuple(Message(message.role, "x") for message in made.messages), made.prefill))
    except rf.RoleforgeError:
        return None
    return made


def search(form: PromptFormat, draft: Draft) -> None:
    if (made := accepted(form, messages_for(form, draft))) is not None:
        check(form, made)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(draft=drafts)
def test_no_conversation_forges_a_turn_in_any_format(draft: Draft) -> None:
    for form in FORMATS:
        search(form, draft)


@pytest.mark.nightly
@every_format
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(draft=drafts)
def test_no_conversation_forges_a_turn_in_a_long_search(form: PromptFormat, draft: Draft) -> None:
    search(form, draft)


@pytest.mark.parametrize("row", CORPUS, ids=[row["id"] for row in CORPUS])
def test_known_attacks_do_not_work(row: dict[str, Any]) -> None:
    form = BY_NAME.get(row["format"], BY_NAME["llama3.1"])
    if row["must_hold"] == "reject":
        with pytest.raises(rf.MessageError):
            render_guarded(form, conversation(row["messages"]))
        return
    made = conversation(row["messages"])
    check(form, made)
    if row["must_hold"] == "unchanged":
        assert render_guarded(form, made).text == form.render(made)


@pytest.mark.parametrize("form", LIBRARY_FORMATS, ids=lambda form: form.name)
def test_known_attacks_do_not_work_in_any_format_of_the_library(form: PromptFormat) -> None:
    made = [accepted(form, row["messages"]) for row in CORPUS if row["must_hold"] == "turns-and-roles"]
    for each in filter(None, made):
        check(form, each)


@every_format
def test_an_attack_on_one_format_works_on_no_other(form: PromptFormat) -> None:
    for row in CORPUS:
        if row["must_hold"] == "turns-and-roles" and (made := accepted(form, row["messages"])) is not None:
            check(form, made)
