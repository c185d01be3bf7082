"""The fields that whole replies and streamed events have in common."""

from __future__ import annotations

from collections.abc import Mapping

from roleforge_llm.backends import Usage
from roleforge_llm.errors import BadReply
from roleforge_llm.transport import Call, error_of, object_failure, read_json, string_of

__all__ = [
    "NO_FINISH",
    "REPAIRED",
    "check_not_html",
    "content_of",
    "document_of",
    "finish_of",
    "first_choice",
    "is_other",
    "reasoning_of",
    "usage_of",
]

NO_FINISH = "the server did not say why the reply ended"
REPAIRED = "the reply held characters that cannot be encoded; each was replaced by U+FFFD"


_BROKEN_OFF = {"error", "abort"}
"""Finish reasons by which vLLM, SGLang and OpenRouter say that the engine failed or dropped the request."""


def document_of(data: bytes, call: Call) -> tuple[Mapping[str, object], Mapping[str, object] | None]:
    """The JSON object in *data*, and the first of its choices.

    Raises :class:`BadReply`, or the error that the object tells of.
    """
    document = read_json(data)
    if (error := error_of(document)) is not None:
        raise object_failure(error, call)
    if not isinstance(document, dict):
        raise BadReply(f"{call.origin} sent JSON that is no reply; check baseURL", kind="shape")
    if (choice := first_choice(document)) is not None and finish_of(choice) in _BROKEN_OFF:
        raise object_failure(error_of(choice) or f"its finish reason is {finish_of(choice)}", call)
    return document, choice


def first_choice(document: Mapping[str, object]) -> Mapping[str, object] | None:
    """The first of the choices, None if there is none that could be read.

    Someone may ask for several (n in sampler.extra), and some servers do not list them in order.
    """
    choices = document.get("choices")
    if not isinstance(choices, list):
        return None
    if len(choices) == 1:
        return choices[0] if isinstance(choices[0], dict) else None
    readable = [choice for choice in choices if isinstance(choice, dict)]
    return next((choice for choice in readable if not is_other(choice)), readable[0] if readable else None)


def is_other(choice: Mapping[str, object]) -> bool:
    """Whether *choice* is a further one than the first, by its index."""
    index = choice.get("index")
    return isinstance(index, int) and index > 0


def content_of(value: object) -> str | None:
    """A content as text: text itself, or the texts of its parts; None where it is neither."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(string_of(part, "text") for part in value if isinstance(part, dict))
    return None


def reasoning_of(part: Mapping[str, object]) -> str:
    """What a reasoning model sends apart from its answer, by the names that servers give it."""
    return string_of(part, "reasoning_content", "reasoning", "thinking")


def finish_of(choice: Mapping[str, object]) -> str | None:
    """The finish reason, None where the server gave none."""
    return string_of(choice, "finish_reason") or None


def usage_of(document: Mapping[str, object]) -> Usage | None:
    """The tokens that the server counted, None where it did not."""
    usage = document.get("usage")
    if not isinstance(usage, Mapping):
        return None
    prompt, completion, total = (_count(usage.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else None
    return Usage(prompt, completion, total, _count(cached))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def check_not_html(data: bytes, call: Call, kind: str) -> None:
    """Raises :class:`BadReply` of *kind* where *data* begins like a web page."""
    if data.lstrip()[:1] == b"<":
        message = f"{call.origin} sent a web page, not a reply; check baseURL, or log in if a portal is in between"
        raise BadReply(message, kind=kind)
