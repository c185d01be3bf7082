"""What holds for every format of the library and any conversation."""

import re
from pathlib import Path

import pytest
import roleforge_llm_formats as plugin
from hypothesis import given, settings
from hypothesis import strategies as st

from roleforge_llm import Message
from roleforge_llm.messages import conversation

FORMATS = list(plugin.roleforge_formats())
every_format = pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])
brief = settings(max_examples=8, deadline=None)

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
UNSTABLE = set(re.findall(r"^\| `([^`]+)` \|", README, re.MULTILINE))
SYSTEM_LAST = {"mistral-v3", "mistral-v3-tekken"}
"""Their system message opens the last user turn, and is one of its own where no user turn comes last."""

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def said(index, role, text):
    return Message(role, f"({index}:{text}:{index})")


@st.composite
def conversations(draw, roles=("system", "user", "assistant")):
    drawn = draw(st.lists(st.tuples(st.sampled_from(roles), words), min_size=1, max_size=6))
    return [said(index, role, text) for index, (role, text) in enumerate(drawn)]


@st.composite
def dialogues(draw):
    """Conversations with at most an opening system message, closed by a user."""
    turns = draw(conversations(roles=("user", "assistant")))
    opening = [said(len(turns), "system", draw(words))] if draw(st.booleans()) else []
    return [*opening, *turns, said(len(turns) + 1, "user", draw(words))]


def rendered(form, messages, prefill=""):
    return form.render(conversation(messages, prefill))


def places(text, messages):
    return [text.index(message.text) for message in messages]


@every_format
@brief
@given(messages=conversations())
def test_every_content_stands_in_the_prompt_exactly_once(form, messages):
    text = rendered(form, messages)
    for index, message in enumerate(messages):
        assert text.count(message.text) == 1
        assert text.count(f"({index}:") == sum(other.text.count(f"({index}:") for other in messages)


@every_format
@brief
@given(messages=conversations())
def test_users_and_assistants_keep_their_order(form, messages):
    found = places(rendered(form, messages), [message for message in messages if message.role != "system"])
    assert found == sorted(found)


@every_format
@brief
@given(messages=dialogues())
def test_an_opening_system_message_comes_first(form, messages):
    if form.name not in SYSTEM_LAST and form.system_turns != "none":
        found = places(rendered(form, messages), messages)
        assert found == sorted(found)


@every_format
@brief
@given(messages=conversations())
def test_rendering_again_gives_the_same(form, messages):
    assert rendered(form, messages) == rendered(form, messages)


@every_format
@brief
@given(messages=dialogues(), prefill=words)
def test_the_prompt_ends_with_the_prefill(form, messages, prefill):
    text = rendered(form, messages, prefill)
    assert text.endswith(prefill)
    assert text.startswith(rendered(form, messages))


@every_format
@brief
@given(messages=dialogues(), later=words)
def test_adding_a_turn_leaves_the_bytes_before_it(form, messages, later):
    reply, closing = said(98, "assistant", later), said(99, "user", later)
    if form.name not in UNSTABLE:
        assert rendered(form, [*messages, reply, closing]).startswith(rendered(form, messages, reply.text))


@pytest.mark.parametrize("name", sorted(UNSTABLE))
def test_the_formats_without_stable_beginnings_are_listed_rightly(name):
    (form,) = [form for form in FORMATS if form.name == name]
    messages = [Message("system", "s"), Message("user", "u")]
    later = [*messages, Message("assistant", "a"), Message("user", "v")]
    assert not rendered(form, later).startswith(rendered(form, messages, "a"))


def test_at_most_three_formats_are_without_stable_beginnings():
    assert len(UNSTABLE) <= 3


@every_format
def test_a_conversation_may_have_any_beginning(form):
    greeting, user = Message("assistant", "Welcome."), Message("user", "Hi.")
    for messages in (
        [greeting, user],
        [Message("system", "Be kind."), greeting, user],
        [Message("system", "Be kind.")],
    ):
        text = rendered(form, messages)
        assert all(message.text in text for message in messages)


@every_format
def test_a_prefill_is_enough(form):
    assert rendered(form, [Message("assistant", "Well")]).endswith("Well")


@every_format
@brief
@given(messages=dialogues())
def test_a_closed_conversation_opens_no_reply(form, messages):
    closing = said(99, "assistant", "")
    closed = form.render(conversation([*messages, closing]), {"add_generation_prompt": False})
    assert closed.count(closing.text) == 1
    if form.name not in SYSTEM_LAST:
        assert len(closed) < len(rendered(form, [*messages, closing, Message("user", "")]))
