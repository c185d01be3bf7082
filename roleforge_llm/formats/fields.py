"""What a native template may say about itself in its first lines."""

from __future__ import annotations

from typing import TypedDict

from roleforge_llm.formats.base import Bos, SystemTurns

__all__ = ["CHOICES", "LISTS", "TEXTS", "Metadata"]


class Metadata(TypedDict, total=False):
    """What a template says about itself; the meaning of each is in :class:`PromptFormat`."""

    stop: tuple[str, ...]
    control_tokens: tuple[str, ...]
    reply_prefix: str
    reply_suffix: str
    system_turns: SystemTurns
    bos: Bos
    bos_token: str
    eos_token: str
    source: str
    description: str


LISTS = {"stop_sequence": "stop", "control_tokens": "control_tokens"}
TEXTS = ("reply_prefix", "reply_suffix", "bos_token", "eos_token", "source", "description")
CHOICES = {"system_turns": ("any", "first", "none"), "bos": ("server", "template")}
