"""Each rule of the suite for formats is broken by a small wrong format, and told in words."""

from __future__ import annotations

import time

import attrs
import pytest

import roleforge_llm as rf
from roleforge_llm.testing import DoesNotConform, assert_format_conforms
from roleforge_llm.testing.formats import RULES


class Turns(rf.PromptFormat):
    """A format as it should be, in code; those below change one thing."""

    name = "turns"
    stop = ("<|end|>",)
    control_tokens = ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
    bos_token = ""

    def render(self, conversation, variables=None):
        return self.turns(conversation.messages) + self.opened() + conversation.prefill

    def turns(self, messages):
        return "".join(self.turn(index, message) for index, message in enumerate(messages))

    def turn(self, index, message):
        if message.role not in {"system", "user", "assistant"} or not isinstance(message.content, str):
            raise rf.MessageError("it takes texts of users, assistants and the system", index)
        return self.opener(message.role) + self.said(message) + "<|end|>"

    def opener(self, role):
        return f"<|{role}|>"

    def opened(self):
        return self.opener("assistant")

    def said(self, message):
        return message.text


class UserFirst(Turns):
    def render(self, conversation, variables=None):
        if conversation.messages and conversation.messages[0].role == "assistant":
            raise rf.MessageError("the user speaks first", 0)
        return super().render(conversation, variables)


class Nothing(Turns):
    def render(self, conversation, variables=None):
        return None if len(conversation.messages) == 3 else super().render(conversation, variables)


class Trips(Turns):
    def render(self, conversation, variables=None):
        conversation.messages[0]
        return super().render(conversation, variables)


class WithoutBraces(Turns):
    def said(self, message):
        return message.text.replace("{{", "")


class Twice(Turns):
    def said(self, message):
        return message.text * 2 if len(message.text) > 300 else message.text


class Trims(Turns):
    def said(self, message):
        return message.text.strip()


class GreetsLate(Turns):
    def turns(self, messages):
        if [message.role for message in messages[:2]] == ["assistant", "user"]:
            messages = (messages[1], messages[0], *messages[2:])
        return super().turns(messages)


class SystemSecond(Turns):
    def turns(self, messages):
        if len(messages) > 1 and messages[0].role == "system":
            messages = (messages[1], messages[0], *messages[2:])
        return super().turns(messages)


class Chance(Turns):
    def __init__(self):
        self.count = 0

    def opened(self):
        self.count += 1
        return f"<|assistant|>{self.count}"


class Variable(Turns):
    def render(self, conversation, variables=None):
        return ("" if variables is None else "\n") + super().render(conversation, variables)


class Tidies(Turns):
    def render(self, conversation, variables=None):
        for message in conversation.messages:
            message.extra.pop("note", None)
        return super().render(conversation, variables)


class Pops(Turns):
    def render(self, conversation, variables=None):
        (variables or {}).clear()
        return super().render(conversation, variables)


class ForgetsThePrefill(Turns):
    def render(self, conversation, variables=None):
        return self.turns(conversation.messages) + self.opened()


class ClosesThePrefill(Turns):
    def render(self, conversation, variables=None):
        return super().render(conversation, variables) + ("<|end|>" if conversation.prefill else "")


class Counts(Turns):
    def turns(self, messages):
        return f"[{len(messages)}]" + super().turns(messages)


class NewLineBeforeTheEnd(Turns):
    def said(self, message):
        return f"{message.text}\n"


class Swallows(Turns):
    def turn(self, index, message):
        return super().turn(index, attrs.evolve(message, content=message.text))


class Remembers(Turns):
    def turns(self, messages):
        self.parts = []
        for index, message in enumerate(messages):
            time.sleep(0.0002)
            self.parts.append(self.turn(index, message))
        return "".join(self.parts)


class Bare(Turns):
    stop = ("\nuser>",)
    control_tokens = ()

    def opener(self, role):
        return f"\n{role}>"

    def turn(self, index, message):
        return super().turn(index, message).removesuffix("<|end|>")


class Unescapes(Turns):
    def said(self, message):
        return message.text.replace("\\", "")


class NotOpened(Turns):
    def opened(self):
        return ""


class SpaceBeforeReplies(Turns):
    def turn(self, index, message):
        return super().turn(index, message).replace("<|assistant|>", "<|assistant|> ")


class SpaceAtTheEnd(Turns):
    def opener(self, role):
        return f"<|{role}|> "


class Begins(Turns):
    control_tokens = (*Turns.control_tokens, "<s>")

    def turns(self, messages):
        return "<s>" + super().turns(messages)


class Dashes(Turns):
    def said(self, message):
        return f"{message.text}--"


class EndBeforeReplies(Turns):
    def turn(self, index, message):
        return super().turn(index, message).replace("<|assistant|>", "<|assistant|><|end|>")


def but(**changes):
    """The good format with other attributes."""
    made = Turns()
    for name, value in changes.items():
        setattr(made, name, value)
    return made


WRONG = [
    ("renders", UserFirst(), set(), "MessageError: messages[0]: the user speaks first"),
    ("renders", Nothing(), set(), "an object of type NoneType instead of text"),
    ("renders", Trips(), set(), "IndexError: tuple index out of range"),
    ("content", WithoutBraces(), set(), "{{:2)' stands not in '<|user|>(2::2)<|end|><|assistant|>'"),
    ("content", Twice(), set(), "2 times in"),
    ("white-space", Trims(), set(), "'(0:a:0) ' stands not in '<|user|>(0:a:0)<|end|><|assistant|>'"),
    ("order", GreetsLate(), set(), "'(1:a:1)' stands before '(0:a:0)'"),
    ("system-place", SystemSecond(), set(), "'(1:a:1)' stands before '(0:a:0)'"),
    ("deterministic", Chance(), {"prefill", "prefix-stable", "threads"}, "and again"),
    ("deterministic", Variable(), set(), "and with no variables '\\n<|user|>"),
    ("arguments", Tidies(), set(), "extra={}"),
    ("arguments", Pops(), set(), "and {}"),
    ("prefill", ForgetsThePrefill(), {"content"}, "the prompt ends with '<|user|>(1:b:1)<|end|>"),
    ("prefill", ClosesThePrefill(), set(), "the prompt ends with"),
    ("prefix-stable", Counts(), set(), "has become"),
    ("reply", NewLineBeforeTheEnd(), set(), "the client reads '(98:r:98)\\n' instead of '(98:r:98)'"),
    ("refusals", Swallows(), set(), "after a message of content parts: '<|user|><|end|>"),
    ("threads", Remembers(), set(), "one thread got"),
    ("metadata", but(stop=["<|end|>"]), set(), "stop is ['<|end|>'], not a tuple of texts"),
    ("metadata", but(stop=("<|end|>", "")), set(), "stop holds an empty text"),
    ("metadata", but(control_tokens=("<|end|>", "<|end|>")), set(), "control_tokens holds a text twice"),
    ("metadata", but(system_turns="sometimes"), set(), "system_turns is 'sometimes', not one of any, first, none"),
    ("metadata", but(source="a\nb"), set(), "source is more than one line"),
    ("metadata", but(reply_suffix=None), set(), "reply_suffix is None, not text"),
    ("metadata", Turns, set(), "it is the class Turns, not an object of it"),
    ("metadata", "chatml", set(), "stop is None, not a tuple of texts"),
    ("host", but(name="my/turns"), set(), "a name that is read as a path"),
    ("control-tokens", but(control_tokens=("<|user|>", "<|assistant|>")), set(), "stands '<|system|>'"),
    ("forged-turn", Bare(), set(), "the prompt of 3 turns: '\\nsystem>(0:s:0)\\nuser>(1:a:1)\\nassistant>"),
    ("forged-turn", Unescapes(), {"content"}, "ForgedTurn: the prompt format 'turns' made markers of turns"),
    ("generation-prompt", NotOpened(), {"prefix-stable", "reply"}, "'<|assistant|>' should follow"),
    ("reply-prefix", SpaceBeforeReplies(), {"prefix-stable", "reply"}, "and reply_prefix is ''"),
    ("trailing-space", SpaceAtTheEnd(), set(), "the prompt ends with a space"),
    ("double-bos", Begins(), set(), "the prompt begins with '<s>'"),
    ("stop-missing", but(stop=()), {"reply"}, "after which the format writes '<|end|><|user|>'"),
    ("stop-late", Dashes(), {"reply"}, "'--' between a reply and the stop sequence"),
    ("stop-early", EndBeforeReplies(), {"prefix-stable", "reply"}, "would end it at once"),
    ("stop-unwritten", but(stop=("<|end|>", "<|eot|>")), set(), "'<|eot|>' is nowhere"),
    ("stop-ordinary", but(stop=("<|end|>", "user")), set(), "'user' is ordinary text"),
]


def broken(form, **settings):
    """What *form* breaks, by rule."""
    with pytest.raises(DoesNotConform) as caught:
        assert_format_conforms(form, **settings)
    return {each.rule: each for each in caught.value.broken}


def test_a_format_in_code_that_keeps_every_rule_conforms():
    assert_format_conforms(Turns())


@pytest.mark.parametrize(
    ("rule", "form", "also", "came"), WRONG, ids=[f"{row[0]}-{type(row[1]).__name__}" for row in WRONG]
)
def test_a_wrong_format_breaks_its_rule_and_is_told_what_came_out(rule, form, also, came):
    found = broken(form)
    assert set(found) == {rule, *also}
    assert came in found[rule].came
    assert found[rule].advice


def test_every_rule_has_a_format_that_breaks_it():
    assert {row[0] for row in WRONG} == set(RULES)
