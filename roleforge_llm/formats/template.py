"""Formats that are one Jinja template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs

from roleforge_llm.errors import FormatError, FormatNotFound, TemplateError
from roleforge_llm.formats.base import Bos, SystemTurns
from roleforge_llm.formats.growing import rendered_further
from roleforge_llm.formats.shapes import shape
from roleforge_llm.messages import Conversation, Message

if TYPE_CHECKING:
    from roleforge_llm.sandbox import Dialect, Plain

__all__ = ["TemplateFormat", "read_text"]

_FILLED_IN = frozenset({"system_prompt", "history", "user_message", "assistant_message", "messages"})


@attrs.define(unsafe_hash=True, on_setattr=attrs.setters.frozen)  # frozen, in a way that a protocol takes
class TemplateFormat:
    """A prompt format that is one template, in the native or the hf dialect.

    Make it with :meth:`from_text` or :meth:`from_file`. *name* is what profiles call it, *text* the template, *path*
    the file that it is from. What *stop*, *control_tokens*, *reply_prefix*, *reply_suffix*, *system_turns*, *bos*,
    *source* and *description* say is in :class:`PromptFormat`. *filename* stands in error messages, *bos_token* and
    *eos_token* are what the template is given under these names. *tool_text* is the template that a model has for
    conversations with tools, where it has one of its own for them.
    """

    name: str
    text: str = attrs.field(repr=False)
    dialect: Dialect = "native"
    filename: str = attrs.field(default="", repr=False)
    path: Path | None = None
    stop: tuple[str, ...] = ()
    control_tokens: tuple[str, ...] = ()
    reply_prefix: str = ""
    reply_suffix: str = ""
    system_turns: SystemTurns = "any"
    bos: Bos = "server"
    source: str = ""
    description: str = ""
    bos_token: str = ""
    eos_token: str = ""
    tool_text: str = attrs.field(default="", repr=False)

    @classmethod
    def from_text(
        cls, name: str, text: str, *, dialect: Dialect | None = None, filename: str | None = None
    ) -> TemplateFormat:
        """A format from a template's text; *dialect* None finds out which one it is written in.

        Raises :class:`TemplateError` with file and line.
        """
        from roleforge_llm.formats.metadata import dialect_of, read_metadata
        from roleforge_llm.sandbox import parse

        filename = filename or f"<{name}>"
        if dialect != "native":
            # The hf dialect knows every tag of the native one, so that either can be read in it.
            tree = parse("hf", text, filename)
            if dialect == "hf" or dialect_of(tree) == "hf":
                return cls(name, text, "hf", filename)
        metadata = read_metadata(parse("native", text, filename), filename)
        return cls(name, text, "native", filename, **metadata)

    @classmethod
    def from_file(cls, path: str | Path, name: str | None = None, *, dialect: Dialect | None = None) -> TemplateFormat:
        """A format from a ``.jinja`` file, named after it unless *name* is given.

        Raises :class:`FormatNotFound` for a path that is not there, :class:`TemplateError` for a file that
        is no template.
        """
        path = Path(path)
        made = cls.from_text(name or path.stem, read_text(path), dialect=dialect, filename=str(path))
        return attrs.evolve(made, path=path)

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        """The whole prompt. Raises :class:`MessageError`, :class:`TemplateError` and :class:`FormatError`.

        With the variable ``add_generation_prompt`` false the conversation is closed: what would be the prefill is
        then a message of the assistant's. A native template that does not read the variable has no such form.
        """
        from roleforge_llm.sandbox import plain, render_template

        if not variables and self.dialect == "native" and (grown := rendered_further(self, conversation)) is not None:
            return grown
        variables = variables or {}
        self._check_place_for(variables)
        if variables.get("add_generation_prompt", True) is False and self._can_be_closed():
            conversation = _closed(conversation)
        context = self.tokens()
        context.update(self._native(conversation) if self.dialect == "native" else self._hf(conversation))
        for key, value in variables.items():
            if key in _FILLED_IN and key in context:
                raise FormatError(f"the variable {key!r} is filled in from the conversation; choose another name")
            context[key] = plain(value, f"the variable {key!r}")
        template = self.tool_text if self.tool_text and context.get("tools") is not None else self.text
        text = render_template(self.dialect, template, self.title, context)
        return text + self._begun(conversation.prefill) if self.dialect == "hf" else text

    def _check_place_for(self, variables: Mapping[str, object]) -> None:
        """Raise for what a model's own template shows and this one would pass over in silence."""
        for name in ("tools", "documents"):
            if self.dialect == "native" and variables.get(name) is not None and name not in self.text:
                raise FormatError(
                    f"the format {self.name!r} has no place for {name}; use a chat endpoint or the model's own template"
                )

    def _can_be_closed(self) -> bool:
        return self.dialect == "hf" or "add_generation_prompt" in self.text

    def _begun(self, prefill: str) -> str:
        """*prefill* as the model would have written it."""
        return f"{self.reply_prefix}{prefill}" if prefill else ""

    @property
    def title(self) -> str:
        """What stands for the template in error messages."""
        return self.filename or f"<{self.name}>"

    def tokens(self) -> dict[str, Plain]:
        """What the template is given beside the conversation."""
        return {"bos_token": self.bos_token, "eos_token": self.eos_token, "add_generation_prompt": True}

    def _native(self, conversation: Conversation) -> dict[str, Plain]:
        shaped = shape(conversation.messages, self.system_turns)
        return {**cast("dict[str, Plain]", shaped), "assistant_message": conversation.prefill}

    def _hf(self, conversation: Conversation) -> dict[str, Plain]:
        from roleforge_llm.sandbox import plain

        messages: list[Plain] = [
            {"role": message.role, "content": message.content}
            if type(message.content) is str and not message.extra and message.name is None  # nearly every one
            else plain(message.to_dict(), "a message")
            for message in conversation.messages
        ]
        return {"messages": messages, "tools": None, "documents": None}


def _closed(conversation: Conversation) -> Conversation:
    if not conversation.prefill:
        return conversation
    return Conversation((*conversation.messages, Message("assistant", conversation.prefill)))


def read_text(path: Path) -> str:
    """The text of a template file. Raises :class:`FormatNotFound` and :class:`TemplateError`."""
    if path.suffix in {".json", ".gguf"}:
        raise TemplateError(f"{path}: is no template; give a .jinja file with the template's text")
    try:
        # Decoded in one piece: a hundred files are listed at once, and Python's text layer doubles what that costs.
        text = path.read_bytes().decode().removeprefix("\ufeff")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise FormatNotFound(f"{path}: no such template file") from None
    except (OSError, ValueError) as error:
        raise TemplateError(f"{path}: cannot be read: {error}") from error
