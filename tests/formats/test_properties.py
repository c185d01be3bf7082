"""What holds for every built-in format and any conversation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import PromptFormat
from roleforge_llm.messages import Message, conversation
from roleforge_llm.rendering import render_guarded
from roleforge_llm_builtin.formats import builtin_formats

FORMATS = builtin_formats()
every_format = pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
roles = st.sampled_from(["system", "user", "assistant"])


@st.composite
def conversations(draw: st.DrawFn, role: st.SearchStrategy[str] = roles) -> list[Message]:
    drawn = draw(st.lists(st.tuples(role, words), min_size=1, max_size=7))
    return [Message(role, f"({index}:{text}:{index})") for index, (role, text) in enumerate(drawn)]


def turns(roles_after_system: list[str]) -> st.SearchStrategy[list[Message]]:
    """Conversations with at most an opening system message."""
    return conversations(role=st.sampled_from(roles_after_system)).flatmap(
        lambda rest: st.sampled_from([rest, [Message("system", "(system)"), *rest]])
    )


def rendered(form: PromptFormat, messages: list[Message], prefill: str = "") -> str:
    return render_guarded(form, conversation(messages, prefill)).text


@every_format
@given(messages=conversations())
def test_no_content_is_lost_and_none_comes_twice(form: PromptFormat, messages: list[Message]) -> None:
    text = rendered(form, messages)
    for message in messages:
        assert text.count(message.text) >= 1
    for index in range(len(messages)):
        assert text.count(f"({index}:") == sum(message.text.count(f"({index}:") for message in messages)


@every_format
@given(messages=conversations())
def test_users_and_assistants_keep_their_order(form: PromptFormat, messages: list[Message]) -> None:
    text = rendered(form, messages)
    places = [text.index(message.text) for message in messages if message.role != "system"]
    assert places == sorted(places)


@every_format
@given(messages=turns(["user", "assistant"]))
def test_an_opening_system_message_keeps_its_place(form: PromptFormat, messages: list[Message]) -> None:
    text = rendered(form, messages)
    places = [text.index(message.text) for message in messages]
    assert places == sorted(places)


@given(messages=conversations())
def test_system_messages_keep_their_place_where_the_format_has_system_turns(messages: list[Message]) -> None:
    chatml = next(form for form in FORMATS if form.system_turns == "any")
    text = rendered(chatml, messages)
    places = [text.index(message.text) for message in messages]
    assert places == sorted(places)


@every_format
@given(messages=conversations())
def test_rendering_twice_gives_the_same_bytes_and_leaves_the_messages_alone(
    form: PromptFormat, messages: list[Message]
) -> None:
    before = list(messages)
    assert rendered(form, messages) == rendered(form, messages)
    assert messages == before


@every_format
@given(messages=conversations(), prefill=words)
def test_the_prefill_is_the_very_end_of_the_prompt(form: PromptFormat, messages: list[Message], prefill: str) -> None:
    messages = [*messages, Message("user", "u")]
    without = rendered(form, messages)
    text = rendered(form, messages, prefill)
    assert text.endswith(prefill)
    assert text == (without + form.reply_prefix + prefill if prefill else without)


@every_format
@given(before=turns(["user", "assistant"]), reply=words.filter(bool), after=turns(["user", "assistant"]))
def test_going_on_never_changes_the_bytes_before(
    form: PromptFormat, before: list[Message], reply: str, after: list[Message]
) -> None:
    """Prefix stability: a server that has read the prompt and written the reply need not read either again."""
    before = [*before, Message("user", "u")]
    after = [message for message in after if message.role != "system"]
    prompt = rendered(form, before)
    later = rendered(form, [*before, Message("assistant", reply), Message("user", "next"), *after])
    assert later.startswith(prompt + form.reply_prefix + reply + form.reply_suffix)


@every_format
@given(before=conversations(), reply=words.filter(bool), after=st.lists(st.tuples(roles, words), max_size=4))
def test_a_later_system_message_changes_nothing_before_the_last_reply_that_a_user_answered(
    form: PromptFormat, before: list[Message], reply: str, after: list[tuple[str, str]]
) -> None:
    before = [*before, Message("user", "u")]
    prompt = rendered(form, before)
    tail = [Message(role, text) for role, text in after]
    later = rendered(form, [*before, Message("assistant", reply), Message("user", "next"), *tail])
    assert later.startswith(prompt + form.reply_prefix + reply)


@every_format
@given(messages=conversations(role=st.sampled_from(["user", "assistant"])))
def test_consecutive_messages_of_one_role_are_one_message_joined_by_a_newline(
    form: PromptFormat, messages: list[Message]
) -> None:
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            joined[-1] = Message(message.role, f"{joined[-1].text}\n{message.text}")
        else:
            joined.append(message)
    assert rendered(form, messages) == rendered(form, joined)
