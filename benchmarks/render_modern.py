"""Rendering a model's own template of the kind that is common now, beside transformers.

    python benchmarks/render_modern.py

Such templates look ahead and back, keep a namespace, take reasoning out of earlier replies, and read attributes with
dots. Each conversation is another one than those before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from conversations import conversation
from harness import Contender, Row, Work, compare, main
from render_chatml import LENGTHS, in_turn

TEMPLATE = """\
{%- if tools %}
    {{- '<|turn|>system\\n' }}
    {%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
    {{- 'Tools:' }}
    {%- for tool in tools %}{{- '\\n' + tool | tojson }}{%- endfor %}
    {{- '<|end|>\\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|turn|>system\\n' + messages[0].content + '<|end|>\\n' }}
{%- endif %}
{%- set state = namespace(searching=true, last=messages | length - 1) %}
{%- for message in messages[::-1] %}
    {%- set place = (messages | length - 1) - loop.index0 %}
    {%- if state.searching and message.role == 'user'
        and message.content is string and not message.content.startswith('<result>') %}
        {%- set state.searching = false %}
        {%- set state.last = place %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set said = message.content %}
    {%- else %}
        {%- set said = '' %}
    {%- endif %}
    {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
        {{- '<|turn|>' + message.role + '\\n' + said + '<|end|>' + '\\n' }}
    {%- elif message.role == 'assistant' %}
        {%- set thought = '' %}
        {%- if message.thought is string %}
            {%- set thought = message.thought %}
        {%- elif '</thought>' in said %}
            {%- set thought = said.split('</thought>')[0].rstrip('\\n').split('<thought>')[-1].lstrip('\\n') %}
            {%- set said = said.split('</thought>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > state.last and (loop.last or thought) %}
            {{- '<|turn|>' + message.role + '\\n<thought>\\n' + thought.strip('\\n') }}
            {{- '\\n</thought>\\n\\n' + said.lstrip('\\n') }}
        {%- else %}
            {{- '<|turn|>' + message.role + '\\n' + said }}
        {%- endif %}
        {%- if message.calls %}
            {%- for call in message.calls %}
                {{- '\\n<call>' + call.name + call.arguments | tojson + '</call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}{{- '<|turn|>user' }}{%- endif %}
        {{- '\\n<result>\\n' + said + '\\n</result>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}{{- '<|end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|turn|>assistant\\n' }}
{%- endif %}
"""
KIND = "ordinary English"


def rows() -> Iterator[Row]:
    """A row for each length of conversation."""
    for length in LENGTHS:
        yield compare(
            f"rendering a modern template, {length} messages",
            against=Contender("transformers", partial(transformed, length), "transformers"),
            ours=Contender("roleforge-llm", partial(guarded, length), "roleforge-llm"),
            target=0.35,
        )


def transformed(length: int) -> Work:
    """What ``apply_chat_template`` does, without a tokenizer."""
    from transformers.utils.chat_template_utils import render_jinja_template

    def render(messages: list[dict[str, str]]) -> str:
        texts, _ = render_jinja_template([messages], chat_template=TEMPLATE, add_generation_prompt=True)
        return str(texts[0])

    messages = conversation(20)
    assert render(messages) == _ours()(messages), "what is not the same cannot be compared"
    return in_turn(render, length, KIND)


def guarded(length: int) -> Work:
    """The same template as a format of ours, guarded against forged turns."""
    return in_turn(_ours(), length, KIND)


def _ours() -> Callable[[list[dict[str, str]]], str]:
    from roleforge_llm import TemplateFormat
    from roleforge_llm.formats.model import completed
    from roleforge_llm.messages import conversation as checked
    from roleforge_llm.rendering import render_guarded

    found = completed(TemplateFormat.from_text("modern", TEMPLATE))
    return lambda messages: render_guarded(found, checked(messages)).text


if __name__ == "__main__":
    main(rows)
