"""The formats that the guard is held to: the built-in ones, some of the library, and own chat templates."""

from __future__ import annotations

from pathlib import Path

from roleforge_llm import PromptFormat, TemplateFormat
from roleforge_llm.formats import packaged_formats
from roleforge_llm_builtin.formats import builtin_formats

LIBRARY = Path(__file__).parents[2] / "plugins" / "roleforge-llm-formats" / "roleforge_llm_formats" / "templates"
NAMES = ("llama3.1", "gemma3", "phi3", "zephyr", "mistral-v3", "deepseek-v3", "openchat", "deepseek-coder")

TRIMMING = """\
{%- for message in messages -%}
<|head|>{{ message['role'] }}<|body|>

{{ message['content'] | trim }}<|stop|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|head|>assistant<|body|>

{% endif -%}
"""
"""A chat template of the kind that models come with: it trims, and composes what it can."""

COMPOSING = """\
{{- bos_token }}
{%- for message in messages %}
{{- '<' + message.role + '>' ~ message.content ~ '</' ~ message.role + '>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<assistant>' }}{% endif -%}
"""
"""One whose markers stand nowhere in its source."""


def all_formats() -> list[PromptFormat]:
    hf = [
        TemplateFormat("trimming", TRIMMING, "hf", control_tokens=("<|head|>", "<|body|>", "<|stop|>")),
        TemplateFormat(
            "composing",
            COMPOSING,
            "hf",
            control_tokens=tuple(f"<{end}{role}>" for role in ("system", "user", "assistant") for end in ("", "/")),
        ),
    ]
    return [*builtin_formats(), *(TemplateFormat.from_file(LIBRARY / f"{name}.jinja") for name in NAMES), *hf]


FORMATS = all_formats()
LIBRARY_FORMATS = packaged_formats(LIBRARY)
BY_NAME = {form.name: form for form in FORMATS}
