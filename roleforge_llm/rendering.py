"""From messages to a prompt."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping

import attrs

from roleforge_llm.errors import FormatError, RoleforgeError, RoleforgeWarning
from roleforge_llm.formats import DEFAULT_FORMAT, OfferedFormats, PromptFormat, find_format
from roleforge_llm.formats.silence import silence_of
from roleforge_llm.guard import ForgedTurns, Guarded, guarded, vocabulary_of
from roleforge_llm.host import default_host, plugin_of
from roleforge_llm.messages import Conversation, MessageLike, Prompt, conversation

__all__ = ["render", "render_guarded", "unescape"]


def render(
    messages: Iterable[MessageLike],
    format: str | os.PathLike[str] = DEFAULT_FORMAT,  # noqa: A002  # the word for it everywhere else, too
    prefill: str = "",
    variables: Mapping[str, object] | None = None,
    *,
    host: OfferedFormats | None = None,
    forged_turns: ForgedTurns = "escape",
) -> Prompt:
    """Render *messages* in a prompt format, with no configuration.

    *format* is a name, or the path of a template as text or as an ``os.PathLike``. *prefill* is the beginning of
    the reply; trailing assistant messages are it, too. *variables* are further values for the template. *host*
    offers the formats, by default those of all installed plugins. A name that nobody offers gives a
    :class:`RoleforgeWarning` and the default format.

    Markers of turns in what the messages say are escaped with a backslash, which the prompt's warnings tell, or
    refused where *forged_turns* is "reject"; :func:`unescape` undoes it. The warnings also tell of a format that
    shows nothing of what the messages say.

    Raises :class:`MessageError`, :class:`ForgedTurn` among them, :class:`FormatNotFound` for a path that is not
    there, :class:`TemplateError` for a broken template, and :class:`PluginError` for a format whose plugin is broken.
    """
    checked = conversation(messages, prefill)
    found = find_format(format, default_host() if host is None else host)
    for text in found.warnings:
        warnings.warn(text, RoleforgeWarning, stacklevel=2)
    made = render_guarded(found.format, checked, variables, forged_turns=forged_turns)
    return Prompt(made.text, tuple(found.format.stop), found.format.name, (*found.warnings, *made.warnings))


def unescape(
    text: str,
    format: str | os.PathLike[str] = DEFAULT_FORMAT,  # noqa: A002  # as above
    *,
    host: OfferedFormats | None = None,
) -> str:
    """*text* without the backslashes that :func:`render` put into markers of *format*, and exactly as it was before.

    Raises what :func:`render` raises for a format that cannot be found.
    """
    found = find_format(format, default_host() if host is None else host)
    return vocabulary_of(found.format).markers.unescape(text)


def render_guarded(
    format: PromptFormat,  # noqa: A002  # as above
    conversation: Conversation,
    variables: Mapping[str, object] | None = None,
    *,
    forged_turns: ForgedTurns = "escape",
    received: str = "",
) -> Guarded:
    """The prompt, in which no content can forge a turn. Whatever goes wrong in *format* is an error of ours.

    *received*, the end of the conversation's prefill, is what the model wrote, and stays as it is. A prompt that
    is the same whatever the messages say has a warning.
    """
    if variables is not None and not isinstance(variables, Mapping):
        raise FormatError(f"variables must be a dict of names and values, not {type(variables).__name__}")
    made = guarded(
        format,
        conversation,
        lambda safe: _rendered(format, safe, variables),
        forged_turns=forged_turns,
        received=received,
        varied=bool(variables),
    )
    silence = silence_of(format, conversation, made.text, lambda other: _rendered(format, other, variables))
    return made if silence is None else attrs.evolve(made, warnings=(*made.warnings, silence))


def _rendered(
    format: PromptFormat,  # noqa: A002  # as above
    conversation: Conversation,
    variables: Mapping[str, object] | None,
) -> str:
    try:
        text = format.render(conversation, variables)
    except RoleforgeError:
        raise
    except Exception as error:
        raise FormatError(f"{_titled(format)} failed: {type(error).__name__}: {error}") from error
    if not isinstance(text, str):
        raise FormatError(f"{_titled(format)} gave {type(text).__name__} instead of text")
    return text


def _titled(format: PromptFormat) -> str:  # noqa: A002  # as above
    plugin = plugin_of(format)
    return f"the prompt format {format.name!r}" + (f" of the plugin {plugin}" if plugin else "")
