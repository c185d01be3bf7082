"""What came of a row, and the row of the output that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from roleforge_llm.attempts import Attempt
from roleforge_llm.backends import Completion
from roleforge_llm.batch.rows import BatchRow
from roleforge_llm.errors import (
    AllProfilesFailed,
    BackendError,
    ConfigError,
    ForgedTurn,
    FormatError,
    MessageError,
    PluginError,
    RowError,
)
from roleforge_llm.messages import Prompt

__all__ = ["BatchResult", "refused"]

_ATTEMPT = tuple(field.name for field in attrs.fields(Attempt))
# Errors before anything was sent have no kind of their own.
_KINDS: Sequence[tuple[type[Exception], str]] = (
    (ForgedTurn, "forged-turn"),
    (MessageError, "messages"),
    (ConfigError, "setting"),
    (FormatError, "format"),
    (PluginError, "plugin"),
)


def _unmasked(text: str) -> str:
    return text


@attrs.frozen
class BatchResult:
    """What came of one row: a *completion*, a rendered *prompt*, or an *error*.

    *line* is the row's place in the input, from 1, *id* its id. *checksum* is that of its input line, None for a row
    that did not come from a file. *profile* is the one that the row was for; a completion says who has answered.
    """

    line: int
    id: str | int
    completion: Completion | None = None
    prompt: Prompt | None = None
    error: Exception | None = None
    profile: str | None = None
    checksum: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return self.error is None

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Everything that was tried for this row."""
        if self.completion is not None:
            return self.completion.attempts
        return self.error.attempts if isinstance(self.error, (AllProfilesFailed, BackendError)) else ()

    @property
    def kind(self) -> str:
        """What is wrong, in one short word, as :class:`~roleforge_llm.BackendError` has it; empty where nothing is."""
        error = _last(self.error)
        if isinstance(error, (BackendError, RowError)):
            return error.kind
        return "" if error is None else next((kind for known, kind in _KINDS if isinstance(error, known)), "unexpected")

    @property
    def status(self) -> int | None:
        """The HTTP status of the last failed attempt; None where there is none."""
        error = _last(self.error)
        return error.status if isinstance(error, BackendError) else None

    def to_dict(self, mask: Callable[[str], str] = _unmasked) -> dict[str, object]:
        """The row of the output. *mask* takes secrets out of a text."""
        head: dict[str, object] = {"line": self.line}
        if self.checksum is not None:
            head["checksum"] = self.checksum
        head |= {"ok": self.ok, "id": self.id}
        if self.error is not None:
            return head | {"error": self._error(self.error, mask)}
        return head | (_prompt(self.prompt) if self.prompt is not None else self._reply())

    def _reply(self) -> dict[str, object]:
        found = self.completion
        assert found is not None, "a result is a completion, a prompt or an error"
        usage = found.usage
        return {
            "text": found.text,
            "finish_reason": found.finish_reason,
            "profile": found.profile,
            "model": found.model,
            "format": found.format,
            "usage": None
            if usage is None
            else {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            },
            "reasoning": found.reasoning,
            "tool_calls": list(found.tool_calls),
            "segments": [{"profile": segment.profile, "text": segment.text} for segment in found.segments],
            "omitted": list(found.omitted),
            "attempts": _attempts(found.attempts),
            "warnings": list(found.warnings),
        }

    def _error(self, error: Exception, mask: Callable[[str], str]) -> Mapping[str, object]:
        return {
            "type": type(error).__name__,
            "kind": self.kind,
            "status": self.status,
            "message": mask(str(error)),
            "partial": mask(getattr(error, "partial", "")),
            "attempts": _attempts(self.attempts),
        }


def refused(error: RowError, line: int, row: BatchRow | None = None, checksum: str | None = None) -> BatchResult:
    """The result of a row that cannot be sent. *row* is None where there is no more than a broken *line*."""
    if row is not None:
        line, checksum = row.line, row.checksum
    return BatchResult(line, line if error.id is None else error.id, error=error, checksum=checksum)


def _last(error: Exception | None) -> Exception | None:
    """The error that says why: of a call that failed everywhere, the last one."""
    return error.errors[-1] if isinstance(error, AllProfilesFailed) and error.errors else error


def _prompt(prompt: Prompt) -> dict[str, object]:
    return {
        "prompt": prompt.text,
        "stop": list(prompt.stop),
        "format": prompt.format,
        "warnings": list(prompt.warnings),
    }


def _attempts(attempts: Iterable[Attempt]) -> list[dict[str, object]]:
    return [{name: getattr(attempt, name) for name in _ATTEMPT} for attempt in attempts]
