"""What rendering costs, in calls of functions: they are the same in every run, which times are not."""

from functools import partial
from itertools import count

import pytest

import roleforge_llm as rf
from roleforge_llm import Conversation, Message, TemplateFormat
from tests.performance.counting import counting

SENTENCES = {
    "ordinary English": "I moved the old desk to the window; could you say (in a few words) why that's better?",
    "typographic prose": "“I can’t stay,” she said — and yet… the café’s owner, an émigré, didn’t move.",
    "source code": "if (rows[i].id < 3 && a > b) { return <T>cast(x[0]); }  # see [docs](http://example.org)",
}
DOTTED = (
    "{% set state = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}"
    "{% set state.last = loop.index0 %}{% endif %}{% endfor %}{% for m in messages %}"
    "{{ '<|' + m.role + '|>\\n' + m.content + '\\n' }}{% if not loop.last and m.calls %}{{ m.calls }}{% endif %}"
    "{% endfor %}"
)
different = count()


def chat(length, sentence=SENTENCES["ordinary English"]):
    """A conversation that was never rendered before."""
    system = {"role": "system", "content": f"This is conversation {next(different)}."}
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"{n}. {sentence}"} for n in range(length - 1)]
    return [system, *turns]


def grown(messages):
    return [*messages, {"role": "assistant", "content": "Because of the light."}, {"role": "user", "content": "I see."}]


def calls(function):
    """How many functions are called, those written in C included, once everything is compiled."""
    with counting() as work:
        function()
    return work.total()


def per_message(render, make):
    """Calls for each further message of a conversation that *make* makes, and that they are as many in a longer one."""
    render(make(100))
    short, middle, long = (calls(partial(render, make(length))) for length in (100, 200, 400))
    assert long - middle <= 2.1 * (middle - short), "longer conversations cost more for each message"
    return (long - middle) / 200


@pytest.mark.parametrize("kind", SENTENCES)
def test_a_message_costs_a_few_calls_whatever_it_is_about(kind):
    assert per_message(rf.render, lambda length: chat(length, SENTENCES[kind])) <= 21


def test_a_message_in_a_template_full_of_dots_costs_a_few_calls():
    found = TemplateFormat.from_text("dotted", DOTTED)

    def render(messages):
        found.render(Conversation(tuple(messages)))

    assert per_message(render, lambda length: [Message(**message) for message in chat(length)]) <= 26


@pytest.mark.parametrize("name", ["chatml", "alpaca", "llama2", "vicuna"])
def test_one_more_turn_costs_the_same_after_any_number_of_turns(name):
    def one_more(length):
        messages = chat(length)
        for _ in range(2):
            messages = grown(messages)
            rf.render(messages, name)
        return calls(lambda: rf.render(grown(messages), name))

    assert one_more(1000) <= one_more(60) + 10


def test_what_was_never_seen_before_is_not_remembered_as_a_whole():
    """Most conversations are rendered once."""
    first = calls(lambda: rf.render(chat(400)))
    messages = chat(400)
    rf.render(messages)
    second = calls(lambda: rf.render(grown(messages)))
    assert first < second
