"""What comes back: a completion, whole or in chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:  # a plugin that lists a backend needs none of it
    from roleforge_llm.attempts import Attempt

__all__ = ["Chunk", "Completion", "Segment", "Usage"]


@attrs.frozen
class Usage:
    """Tokens as the server counted them; None where it did not say.

    *prompt_tokens* is what it read, *completion_tokens* what it wrote, *total_tokens* both. *cached_tokens* is how
    many of the prompt's were not computed anew.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None


@attrs.frozen
class Segment:
    """The part of a reply's text that one profile wrote."""

    profile: str
    text: str


@attrs.frozen
class Completion:
    """A reply.

    A backend fills in *text*, *finish_reason*, *stop_sequence*, *usage*, *reasoning*, *tool_calls*, *warnings*
    and *raw* (the server's own object; of a stream, what its backend gave as such); the client adds the rest.
    *profile*, *model* and *format* are what the reply came from in the end (*format* is None where the server rendered
    the messages), *attempts* everything that was tried, in order.
    *text* never contains the prefill, a stop sequence or the reasoning. *finish_reason* is the server's own
    word ("stop", "length", "tool_calls" ...), None where it gave none. *stop_sequence* is the one that ended
    the text, None where none did or where the server cut it off without saying which. *segments* says which
    profile wrote what, *omitted* which messages were left out to fit the context (by index).
    """

    text: str
    finish_reason: str | None = None
    profile: str = ""
    model: str = ""
    format: str | None = None
    usage: Usage | None = None
    reasoning: str = ""
    tool_calls: tuple[Mapping[str, object], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    segments: tuple[Segment, ...] = ()
    omitted: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    raw: Mapping[str, object] | None = attrs.field(default=None, repr=False)
    stop_sequence: str | None = None


@attrs.frozen
class Chunk:
    """The next piece of a streamed reply: any part of it may be empty.

    *text* and *reasoning* are what is new; *finish_reason*, *usage*, *model*, *tool_calls*, *warnings* and
    *stop_sequence* are those of a :class:`Completion`, and may come with any piece.
    *tokens* is how many tokens the piece stands for where the server says so, else 1 for a piece with text.
    *raw* is the server's own object about the whole reply, where its stream has one.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    usage: Usage | None = None
    model: str = ""
    tool_calls: tuple[Mapping[str, object], ...] = ()
    warnings: tuple[str, ...] = ()
    tokens: int = 1
    stop_sequence: str | None = None
    raw: Mapping[str, object] | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, completion: Completion) -> Chunk:
        """A whole reply as one piece."""
        return cls(
            text=completion.text,
            reasoning=completion.reasoning,
            finish_reason=completion.finish_reason,
            usage=completion.usage,
            model=completion.model,
            tool_calls=completion.tool_calls,
            warnings=completion.warnings,
            stop_sequence=completion.stop_sequence,
            raw=completion.raw,
        )
