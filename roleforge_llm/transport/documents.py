"""Reading JSON that a server sent."""

from __future__ import annotations

import json
from collections.abc import Mapping

import jiter

from roleforge_llm.errors import BadReply, TooLarge
from roleforge_llm.transport.bounds import MAX_VALUES

__all__ = ["read_json", "repair_surrogates", "string_of"]


def read_json(data: bytes) -> object:
    """The value that *data* holds, read strictly as UTF-8; NaN and infinities are let pass.

    Lone surrogates stay in the text (see :func:`repair_surrogates`). Raises :class:`BadReply`: kind
    unreadable for what is not JSON or not UTF-8, kind shape for what is nested beyond any reply; and
    :class:`TooLarge` for more values than any reply has.
    """
    if len(data) > MAX_VALUES and sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise TooLarge(f"the reply holds more than {MAX_VALUES} values", kind="body")
    try:
        return jiter.from_json(data)
    except ValueError:
        # jiter refuses lone surrogates and deep nesting; the standard library tells these from real faults.
        return _read_slowly(data)


def _read_slowly(data: bytes) -> object:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise BadReply("the reply is JSON that is nested too deeply", kind="shape") from None
    except UnicodeDecodeError:
        raise BadReply("the reply is not UTF-8", kind="unreadable") from None
    except ValueError:
        raise BadReply(_not_json(data), kind="unreadable") from None


def _not_json(data: bytes) -> str:
    return f"the reply is not JSON, or only the beginning of it ({len(data)} bytes)" if data else "the reply is empty"


def repair_surrogates(text: str) -> str:
    """*text* with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def string_of(mapping: Mapping[str, object], *names: str) -> str:
    """The first of the fields *names* that is text and not empty, else ""."""
    for name in names:
        value = mapping.get(name)
        if isinstance(value, str) and value:
            return value
    return ""
