"""From messages to a prompt."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

from roleforge_llm.errors import FormatError, RoleforgeError, RoleforgeWarning
from roleforge_llm.formats import DEFAULT_FORMAT, OfferedFormats, PromptFormat, find_format
from roleforge_llm.host import default_host
from roleforge_llm.messages import Conversation, MessageLike, Prompt, conversation

__all__ = ["render", "render_with"]


def render(
    messages: Iterable[MessageLike],
    format: str = DEFAULT_FORMAT,  # noqa: A002  # the word for it everywhere else, too
    prefill: str = "",
    variables: Mapping[str, object] | None = None,
    *,
    host: OfferedFormats | None = None,
) -> Prompt:
    """Render *messages* in a prompt format, with no configuration.

    *format* is a name or the path of a template. *prefill* is the beginning of the reply; trailing assistant
    messages are it, too. *variables* are further values for the template. *host* offers the formats, by
    default those of all installed plugins. A name that nobody offers gives a :class:`RoleforgeWarning` and
    the default format.

    Raises :class:`MessageError`, :class:`FormatNotFound` for a path that is not there, :class:`TemplateError`
    for a broken template, and :class:`PluginError` for a format whose plugin is broken.
    """
    checked = conversation(messages, prefill)
    found = find_format(format, default_host() if host is None else host)
    for text in found.warnings:
        warnings.warn(text, RoleforgeWarning, stacklevel=2)
    text = render_with(found.format, checked, variables)
    return Prompt(text, tuple(found.format.stop), found.format.name, found.warnings)


def render_with(
    format: PromptFormat,  # noqa: A002  # as above
    conversation: Conversation,
    variables: Mapping[str, object] | None = None,
) -> str:
    """The prompt's text. Whatever goes wrong in *format* is an error of ours, even in a third party's."""
    try:
        text = format.render(conversation, variables)
    except RoleforgeError:
        raise
    except Exception as error:
        raise FormatError(f"the prompt format {format.name!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(text, str):
        raise FormatError(f"the prompt format {format.name!r} gave {type(text).__name__} instead of text")
    return text
