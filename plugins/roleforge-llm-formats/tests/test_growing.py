"""Every format of the library renders a conversation that goes on from where it was, to the byte."""

import pytest
from roleforge_llm_formats import TEMPLATES

from roleforge_llm import Conversation, Message
from roleforge_llm.formats import packaged_formats

SHAPES = {
    "opened": ("system", ""),
    "opened in silence": ("system", "", "empty"),
    "without a system message": (),
    "greeted": ("system", "assistant"),
    "greeted alone": ("assistant",),
}


def states(opening):
    """A conversation as it grows, with empty texts, an edited turn, a late system message and two turns of one role."""
    system = [Message("system", "" if "empty" in opening else "Be brief.")] if "system" in opening else []
    greeting = [Message("assistant", "Good morning.")] if "assistant" in opening else []
    turns = [Message(("user", "assistant")[n % 2], ("Hello.", "", " Yes \n", "Why?")[n % 4]) for n in range(47)]
    messages = [*system, *greeting, *turns]
    for end in range(35, len(messages) + 1):
        yield messages[:end]
    yield [*messages[:40], Message(messages[40].role, "Edited."), *messages[41:]]
    yield [*messages, Message("system", "Answer in French.")]
    yield [*messages, Message("user", "Twice.")]
    yield [*messages[:36], Message("system", "Now."), *messages[36:]]
    yield messages[:36]


@pytest.mark.parametrize("opening", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("form", packaged_formats(TEMPLATES), ids=lambda form: form.name)
def test_a_growing_conversation_has_the_prompt_of_a_new_one(form, opening):
    for messages in states(opening):
        for prefill in ("", "Well, "):
            conversation = Conversation(tuple(messages), prefill)
            # a variable, though it is not used, makes it render all anew
            assert form.render(conversation) == form.render(conversation, {"not_used": 1})
