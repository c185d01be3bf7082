"""What a server has for its model as a format: its chat template once it is asked, or its own rendering."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from roleforge_llm.errors import BadReply, FormatError, NotFound, TemplateError
from roleforge_llm.formats.base import PromptFormat
from roleforge_llm.formats.lookup import SERVER
from roleforge_llm.messages import Conversation, Message

if TYPE_CHECKING:
    from roleforge_llm.backends import ServerTemplate
    from roleforge_llm.formats.template import TemplateFormat

__all__ = ["ServedFormat", "ServerRendering", "served_format"]


def served_format(found: ServerTemplate | None, where: str) -> TemplateFormat:
    """The format of what a server said; *where* is the server.

    Raises :class:`NotFound` where it told no template and :class:`BadReply` for one that cannot be used, so that
    the next profile is tried.
    """
    if found is None or not found.text:
        raise NotFound(f"{where} does not tell its model's chat template; name a format as template", kind="template")
    # Loaded late: nearly no profile has its server's template.
    from roleforge_llm.formats.model import format_of
    from roleforge_llm.formats.sources import DEFAULT, TOOL_USE, ModelTemplates

    texts = {DEFAULT: found.text, **({TOOL_USE: found.tool_text} if found.tool_text else {})}
    try:
        model = ModelTemplates(f"<template of {where}>", texts, found.bos_token, found.eos_token)
        return format_of(model, SERVER)
    except TemplateError as error:
        raise BadReply(f"the chat template of {where} cannot be used: {error}", kind="shape") from None


class ServedFormat(PromptFormat):
    """Stands for the chat template of the server *where* until that has been asked; what it says is :attr:`learned`."""

    name = SERVER

    def __init__(self, where: str) -> None:
        self._where = where
        self.learned: TemplateFormat | None = None

    def learn(self, found: ServerTemplate | None) -> None:
        """Take what the server says. Raises :class:`NotFound`, :class:`BadReply`."""
        self.learned = served_format(found, self._where)

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        """The whole prompt. Raises :class:`FormatError` before the server was asked."""
        if self.learned is None:
            raise FormatError(f"the chat template of {self._where} is not known yet")
        return self.learned.render(conversation, variables)


class ServerRendering(PromptFormat):
    """The prompts that a server makes itself; *ask* gives it messages. To compare with: it has no stop sequences."""

    name = SERVER
    bos_token = ""

    def __init__(self, ask: Callable[[Sequence[Message]], str | None], bos_token: str = "") -> None:
        self.bos_token = bos_token
        self._ask = ask

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        """The server's prompt for the messages; a prefill follows it."""
        if (text := self._ask(conversation.messages)) is None:
            raise FormatError("the server does not tell what it makes of messages")
        return text + conversation.prefill
