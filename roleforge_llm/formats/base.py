"""What a prompt format is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias

from roleforge_llm.messages import Conversation

__all__ = ["Bos", "PromptFormat", "SystemTurns"]

SystemTurns: TypeAlias = Literal["any", "first", "none"]
Bos: TypeAlias = Literal["server", "template"]


class PromptFormat(Protocol):
    """How a conversation becomes one text.

    Subclass it, set :attr:`name` and whatever differs from the defaults as class attributes, and write
    :meth:`render`. Formats are shared by all threads.
    """

    name: str
    """What the format is asked for by; every format sets it."""
    stop: tuple[str, ...] = ()
    """The stop sequences: texts that end a reply and never belong to it."""
    control_tokens: tuple[str, ...] = ()
    """The markers of turns, which the text of a message must not be able to forge."""
    reply_prefix: str = ""
    """What the model writes between the prompt and its reply; removed once from a reply's beginning."""
    reply_suffix: str = ""
    """What the model writes between its reply and what follows; removed once from a reply's end."""
    system_turns: SystemTurns = "any"
    """Where the format has a turn for a system message: anywhere, at the beginning only, or nowhere."""
    bos: Bos = "server"
    """Who puts the token for the beginning of the text: the server, or the template itself."""
    bos_token: str = ""
    """That token's text, where the template puts it: sending drops it once if the server adds its own."""
    source: str = ""
    """Where the layout is from."""
    description: str = ""
    """One line on what the format is for."""

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        """The whole prompt, ending where the model goes on, the conversation's prefill included.

        *variables* are further values for a template. Raises :class:`~roleforge_llm.MessageError` for a
        message that the format cannot express and :class:`~roleforge_llm.FormatError` for any other reason.
        """
        ...
