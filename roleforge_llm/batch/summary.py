"""What a batch has come to, in numbers."""

from __future__ import annotations

from collections import Counter

import attrs

from roleforge_llm.batch.answered import Answered
from roleforge_llm.batch.results import BatchResult
from roleforge_llm.errors import AllProfilesFailed

__all__ = ["Tally"]


@attrs.define
class Tally:
    """Counts results as they are written. *earlier* rows, of them *earlier_failed*, were in the output before."""

    earlier: int = 0
    earlier_failed: int = 0
    ok: int = 0
    errors: Counter[str] = attrs.field(factory=Counter)
    profiles: Counter[str] = attrs.field(factory=Counter)
    fallbacks: Counter[str] = attrs.field(factory=Counter)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def after(cls, answered: Answered) -> Tally:
        """A tally that goes on where an output ended."""
        return cls(earlier=answered.count, earlier_failed=answered.failed)

    def add(self, result: BatchResult) -> None:
        """*result* has been written."""
        self.requests += len(result.attempts)
        if result.error is not None:
            self.errors[_cause(result)] += 1
            return
        self.ok += 1
        if (completion := result.completion) is None:
            return
        self.profiles[completion.profile] += 1
        if result.profile is not None and completion.profile != result.profile:
            self.fallbacks[completion.profile] += 1
        if completion.usage is not None:
            self.prompt_tokens += completion.usage.prompt_tokens or 0
            self.completion_tokens += completion.usage.completion_tokens or 0

    @property
    def failed(self) -> int:
        """Rows with an error that were written now."""
        return self.errors.total()

    @property
    def rows(self) -> int:
        """Rows that were written now."""
        return self.ok + self.failed

    @property
    def all_ok(self) -> bool:
        """Whether no row of the whole output has an error."""
        return not self.failed and not self.earlier_failed

    def to_dict(self, seconds: float, *, interrupted: bool) -> dict[str, object]:
        """As plain data, for JSON: what was done in these *seconds*."""
        return {
            "rows": self.rows,
            "ok": self.ok,
            "failed": self.failed,
            "errors": dict(self.errors.most_common()),
            "earlier": self.earlier,
            "earlier_failed": self.earlier_failed,
            "profiles": dict(self.profiles.most_common()),
            "fallbacks": dict(self.fallbacks.most_common()),
            "requests": self.requests,
            "tokens": {"prompt": self.prompt_tokens, "completion": self.completion_tokens},
            "seconds": round(seconds, 3),
            "interrupted": interrupted,
        }


def _cause(result: BatchResult) -> str:
    """What is wrong, for counting: the class of the error, and its status or kind."""
    error = result.error
    if isinstance(error, AllProfilesFailed) and error.errors:
        error = error.errors[-1]
    detail = result.status if result.status not in {None, 200} else result.kind
    return f"{type(error).__name__} {detail}"
