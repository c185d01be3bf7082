"""Models' files for tests: templates of our own in every kind of file that holds them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

PIPES = (
    "{{ bos_token }}{% for message in messages %}"
    "<|{{ message.role }}|>\n{{ message.content }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
"""A template in the hf dialect, with a marker at the end of each turn."""

WORDS = (
    "{% for message in messages %}"
    "{% if message.role == 'assistant' %}BOT: {{ message.content }}\n\n{% else %}HUMAN: {{ message.content }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}BOT:{% endif %}"
)
"""A template in the hf dialect whose turns are lines that begin with words."""

TOOLS = "{{ tools | tojson }}|" + PIPES


def write_config(folder: Path, template: object = PIPES, **more: object) -> Path:
    """A ``tokenizer_config.json``; *template* None leaves the template out."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**({} if template is None else {"chat_template": template}), **more}), encoding="utf-8")
    return path


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def gguf(values: Mapping[str, object], version: int = 3) -> bytes:
    """A GGUF file with nothing but metadata."""
    head = b"GGUF" + struct.pack("<IQQ", version, 0, len(values))
    return head + b"".join(text(key) + _typed(value) for key, value in values.items())


def _typed(value: object) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<Id", 12, value)
        case str():
            return struct.pack("<I", 8) + text(value)
        case [str(), *_]:
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        case list():
            return struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)
    raise TypeError(value)


def model(template: str = PIPES, more: Mapping[str, object] = MappingProxyType({})) -> dict[str, object]:
    """The metadata of a small model with a chat template."""
    return {
        "general.architecture": "llama",
        "general.weight": 0.5,
        "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", "<|end|>", "hello", "  ", "<tool>"],
        "tokenizer.ggml.token_type": [2, 3, 3, 3, 1, 4, 4],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 3,
        "tokenizer.chat_template": template,
        **more,
    }
