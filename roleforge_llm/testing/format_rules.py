"""What a prompt format must do with what messages say: each rule looks at one conversation."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import attrs

from roleforge_llm.errors import RoleforgeError
from roleforge_llm.formats import PromptFormat
from roleforge_llm.messages import Conversation, Message
from roleforge_llm.testing.conformance import Rule, shown
from roleforge_llm.testing.samples import Sample, every, few, framed, is_framed, kept, one, spaced, unframed
from roleforge_llm.testing.trials import Sampled, Unrendered, rendered

__all__ = ["CONTENTS"]


def _renders(found: PromptFormat, sample: Sample) -> str | None:
    try:
        text = found.render(sample.conversation)
    except Exception as error:  # noqa: BLE001  # whatever a format does wrong
        return f"{type(error).__name__}: {error}"
    return None if isinstance(text, str) else f"an object of type {type(text).__name__} instead of text"


def _keeps_contents(found: PromptFormat, sample: Sample) -> str | None:
    text = rendered(found, sample)
    for content in filter(None, sample.texts):
        if text.count(content) != 1:
            often = "not" if content not in text else f"{text.count(content)} times"
            return f"{shown(content)} stands {often} in {shown(text)}"
    return None


def _keeps_white_space(found: PromptFormat, sample: Sample) -> str | None:
    text = rendered(found, sample)
    # What is lost altogether is another rule's business.
    there = all(is_framed(said.strip()) and said.strip() in text for said in sample.texts)
    return _keeps_contents(found, sample) if there else None


def _keeps_order(found: PromptFormat, sample: Sample) -> str | None:
    text = rendered(found, sample)
    said = [message.text for message in sample.messages if message.role != "system" and message.text in text]
    for this, other in pairwise(said):
        if text.index(this) > text.index(other):
            return f"{shown(other)} stands before {shown(this)} in {shown(text)}"
    return None


def _opens_with_system(found: PromptFormat, sample: Sample) -> str | None:
    if sample.roles[0] != "system" or len(sample.roles) < 2 or found.system_turns == "none":
        return None
    text, first = rendered(found, sample), sample.texts[0]
    before = next((said for said in sample.texts[1:] if said in text and text.index(said) < text.find(first)), None)
    return None if before is None else f"{shown(before)} stands before {shown(first)} in {shown(text)}"


def _is_repeatable(found: PromptFormat, sample: Sample) -> str | None:
    first = rendered(found, sample)
    rendered(found, Sample.of(("user", framed(9, "between"))))
    for how, again in (("again", rendered(found, sample)), ("with no variables", rendered(found, sample, {}))):
        if again != first:
            return f"{shown(first)}, and {how} {shown(again)}"
    return None


def _leaves_arguments_alone(found: PromptFormat, sample: Sample) -> str | None:
    extra = [attrs.evolve(message, extra={"note": ["n"]}) for message in sample.messages]
    given, variables = Sample(tuple(extra)).conversation, {"some_variable": ["v"]}
    before = copy.deepcopy((given, variables))
    try:
        found.render(given, variables)
    except Exception as error:
        raise Unrendered from error
    return None if (given, variables) == before else f"afterwards they were {given} and {variables}"


def _is_safe_in_threads(found: PromptFormat, sample: Sample) -> str | None:
    samples = [Sample((*sample.messages, Message("user", framed(90 + at, "t")))) for at in range(4)]
    alone = [rendered(found, each) for each in samples]
    with ThreadPoolExecutor(len(samples)) as pool:
        together = list(pool.map(lambda each: _or_error(found, each), samples * 3))
    wrong = next((text for text, right in zip(together, alone * 3, strict=True) if text != right), None)
    return None if wrong is None else f"one thread got {shown(wrong)} where it gets another prompt alone"


def _or_error(found: PromptFormat, sample: Sample) -> str:
    try:
        return rendered(found, sample)
    except Unrendered as refused:
        return repr(refused.__cause__)


_MORE_THAN_TEXT = (
    Message("user", [{"type": "text", "text": "(0:part:0)"}]),
    Message("tool", "(0:tool:0)", extra={"tool_call_id": "abcdefghi"}),
)


def _refuses_what_it_cannot_show(found: PromptFormat, sample: Sample) -> str | None:
    for message in _MORE_THAN_TEXT:
        try:
            text = found.render(Conversation((message, *sample.messages)))
        except RoleforgeError:
            continue
        except Exception as error:  # noqa: BLE001  # whatever a format does wrong
            return f"after {_described(message)}: {type(error).__name__}: {error}"
        said = message.text or "(0:part:0)"
        if said not in text:
            return f"after {_described(message)}: {shown(text)}, which does not show it"
    return None


def _described(message: Message) -> str:
    return "a message of content parts" if message.role == "user" else f"a message of the role {message.role}"


_SKIP = "write message.text into the prompt as it is: no strip, no case, no escaping, each message once"

CONTENTS: tuple[Sampled, ...] = (
    Sampled(
        Rule(
            "renders",
            "every conversation of system, user and assistant texts becomes a prompt, whatever its shape",
            "give every order of roles a place; consecutive messages of one role can be joined by a newline",
        ),
        _renders,
        unframed,
    ),
    Sampled(
        Rule("content", "what each message says stands in the prompt once, exactly as it was said", _SKIP),
        _keeps_contents,
        kept,
    ),
    Sampled(
        Rule(
            "white-space",
            "white space around what a message says is kept",
            "do not trim contents; if the model's own template does, say so in the description and waive this rule",
        ),
        _keeps_white_space,
        spaced,
    ),
    Sampled(
        Rule(
            "order",
            "messages of users and assistants stand in the prompt in their order",
            "write the messages in the order of conversation.messages, and the prefill last",
        ),
        _keeps_order,
        every,
    ),
    Sampled(
        Rule(
            "system-place",
            "an opening system message stands before all others",
            "write it first; a format without a system turn says system_turns = 'none'",
        ),
        _opens_with_system,
        every,
    ),
    Sampled(
        Rule(
            "deterministic",
            "the same conversation always gives the same prompt",
            "keep no state between calls, and use neither the time nor chance",
        ),
        _is_repeatable,
        few,
    ),
    Sampled(
        Rule(
            "arguments",
            "render leaves the conversation and the variables as they were",
            "work on copies: other calls use the same objects",
        ),
        _leaves_arguments_alone,
        few,
    ),
    Sampled(
        Rule(
            "refusals",
            "a message that the format cannot show is refused by a MessageError, never lost and never another error",
            "raise roleforge_llm.MessageError(reason, index) where content is no text or the role has no turn",
        ),
        _refuses_what_it_cannot_show,
        one,
    ),
    Sampled(
        Rule(
            "threads",
            "threads can render at the same time",
            "keep what one call needs in local variables, not on the format",
        ),
        _is_safe_in_threads,
        one,
    ),
)
"""The rules of this module, in the order of the report."""
