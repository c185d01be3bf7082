"""Rendering chatml so that no message can forge a turn, beside the same template in Jinja's sandbox with no such guard.

    python benchmarks/render_chatml.py

Each conversation is another one than those before, so that nothing of an earlier one can be used again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from conversations import KINDS, conversation
from harness import Contender, Row, Work, compare, main

TEMPLATE = Path(__file__).parents[1] / "templates" / "chatml.jinja"
LENGTHS = (20, 200, 2000)
TARGETS = {"ordinary English": 1.7, "typographic prose": 4.0, "source code": 2.5}
DIFFERENT = 24
"""Conversations that take turns; more than are remembered."""


def rows() -> Iterator[Row]:
    """A row for each kind and length of conversation."""
    for kind, length in itertools.product(KINDS, LENGTHS):
        yield compare(
            f"rendering chatml, {length} messages of {kind}",
            against=Contender("jinja2's sandbox, no guard", partial(sandboxed, length, kind), "jinja2"),
            ours=Contender("roleforge-llm", partial(guarded, length, kind), "roleforge-llm"),
            peers=[Contender("transformers", partial(transformed, length, kind), "transformers")],
            target=TARGETS[kind],
        )


def sandboxed(length: int, kind: str) -> Work:
    """The template in Jinja's immutable sandbox, compiled once."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    template = ImmutableSandboxedEnvironment(trim_blocks=True).from_string(TEMPLATE.read_text(encoding="utf-8"))

    def render(messages: list[dict[str, str]]) -> object:
        return template.render(
            system_prompt=messages[0]["content"],
            history=messages[1:-1],
            user_message=messages[-1]["content"],
            assistant_message="",
        )

    return in_turn(render, length, kind)


def guarded(length: int, kind: str) -> Work:
    """``roleforge_llm.render``."""
    import roleforge_llm

    return in_turn(lambda messages: roleforge_llm.render(messages).text, length, kind)


def transformed(length: int, kind: str) -> Work:
    """What ``apply_chat_template`` does, without a tokenizer; its template is for chatml, in the usual form."""
    from transformers.utils.chat_template_utils import render_jinja_template

    template = (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )

    def render(messages: list[dict[str, str]]) -> object:
        return render_jinja_template([messages], chat_template=template, add_generation_prompt=True)

    return in_turn(render, length, kind)


def in_turn(render: Callable[[list[dict[str, str]]], object], length: int, kind: str) -> Work:
    """Render one conversation after the other."""
    texts = [conversation(length, kind) for _ in range(DIFFERENT)]
    for number, messages in enumerate(texts):
        messages[0]["content"] += f" This is conversation {number}."
    endless = itertools.cycle(texts)

    def work(times: int) -> None:
        for messages in itertools.islice(endless, times):
            render(messages)

    return work


if __name__ == "__main__":
    main(rows)
