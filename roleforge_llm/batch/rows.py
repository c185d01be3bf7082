"""From a JSON object to what is asked for, in either of the two shapes of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import attrs

from roleforge_llm.config import Config
from roleforge_llm.config.schema import SamplerTable, spellings
from roleforge_llm.config.wording import Suggestions, kind_of, shown
from roleforge_llm.errors import RowError
from roleforge_llm.messages import MessageLike

__all__ = ["BatchRow", "batch_row", "profile_of"]

_SETTINGS = frozenset(spellings(SamplerTable))
_OWN = frozenset({"id", "messages", "profile", "tools", "response_format", "timeout"})
_KNOWN = _OWN | _SETTINGS
_OF_OPENAI = frozenset({"custom_id", "method", "url", "body"})
# What only the server reads: it goes into the request as it stands. A closed list, so that a slip of the pen is
# found before ten thousand requests are sent with it.
_PASSED_ON = frozenset(
    {
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
        "user",
        "metadata",
        "store",
        "service_tier",
    }
)
_KNOWN_IN_BODY = frozenset({"model", "messages", "tools", "response_format", "stream"}) | _PASSED_ON | _SETTINGS


@attrs.frozen
class BatchRow:
    """One row: a conversation, its *messages*, and what is special about it.

    *id* names the row in the output; *tools* and *response_format* go on as in a call. *line* is its place in the
    input from 1 on, *checksum* that of the input line where it has one. *profile* is None for the batch's own.
    *model* is what a row of OpenAI's shape asks for: the name of a profile, or a profile's model. *sampler* are
    settings for this row alone, in any spelling that a configuration takes; *timeout* is in seconds.
    """

    line: int
    messages: Sequence[MessageLike]
    id: str | int
    profile: str | None = None
    model: str | None = None
    tools: Sequence[Mapping[str, object]] | None = None
    response_format: Mapping[str, object] | None = None
    timeout: float | None = None
    sampler: Mapping[str, object] = attrs.field(factory=dict)
    checksum: str | None = None


def batch_row(data: object, line: int, checksum: str | None = None) -> BatchRow:
    """The row that *data*, the object in that *line*, stands for.

    Raises :class:`RowError` for what is no row. What its messages and settings hold is checked where it is sent.
    """
    if not isinstance(data, Mapping):
        raise RowError(f"a row must be an object, not {kind_of(data)}", "not-an-object")
    if "custom_id" in data or "body" in data:
        return _openai_row(data, line, checksum)
    given = _id(data.get("id"), "id", line)
    _check_keys(data, _KNOWN, given, "")
    return _row(data, given, line, checksum, profile=_text(data, "profile", given))


def _row(
    data: Mapping[Any, Any],
    given: str | int,
    line: int,
    checksum: str | None,
    *,
    profile: str | None = None,
    model: str | None = None,
    sampler: Mapping[str, object] | None = None,
) -> BatchRow:
    if not isinstance(messages := data.get("messages"), (list, tuple)):
        what = "has no messages" if messages is None else f"has {kind_of(messages)} as messages; they must be a list"
        raise RowError(f"the row {what}", "messages", given)
    return BatchRow(
        line=line,
        messages=messages,
        id=given,
        profile=profile,
        model=model,
        tools=cast("Sequence[Mapping[str, object]] | None", _checked(data, "tools", list, given)),
        response_format=cast("Mapping[str, object] | None", _checked(data, "response_format", dict, given)),
        timeout=data.get("timeout"),
        sampler=_settings(data) if sampler is None else sampler,
        checksum=checksum,
    )


def _settings(data: Mapping[Any, Any]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key in _SETTINGS}


def _id(value: object, key: str, line: int) -> str | int:
    if value is None:
        return line
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise RowError(f"{key} must be text or a whole number, not {shown(value)}", "id")
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= each <= "\udfff" for each in value):
        raise RowError(f"{key} contains a lone surrogate, which no file can hold", "id")
    return value


def _check_keys(data: Mapping[object, object], known: frozenset[str], given: str | int, where: str) -> None:
    """Refuse keys that mean nothing: a setting that nobody reads is a setting that silently does not hold."""
    if data.keys() <= known:
        return
    name = min(map(str, data.keys() - known))
    near = Suggestions().nearest(name, sorted(known))
    hint = f"; did you mean {near}?" if near else ""
    raise RowError(f"the row has an unknown key {where}{shown(name)}{hint}", "unknown-key", given)


def _text(data: Mapping[Any, Any], key: str, given: str | int) -> str | None:
    return cast("str | None", _checked(data, key, str, given))


def _checked(data: Mapping[Any, Any], key: str, kind: type, given: str | int) -> object:
    value = data.get(key)
    if value is None or isinstance(value, kind):
        return value
    wanted = {"str": "text", "list": "a list", "dict": "an object"}[kind.__name__]
    raise RowError(f"{key} must be {wanted}, not {kind_of(value)}", "shape", given)


# ---------------------------------------------------------------------- OpenAI's shape


def _openai_row(data: Mapping[Any, Any], line: int, checksum: str | None) -> BatchRow:
    given = _id(data.get("custom_id"), "custom_id", line)
    if further := data.keys() - _OF_OPENAI:
        raise RowError(f"the row has an unknown key {shown(str(min(map(str, further))))} beside body", "shape", given)
    _check_address(data, given)
    body = _checked(data, "body", dict, given)
    if not isinstance(body, dict):
        raise RowError("the row has no body", "shape", given)
    _check_body(body, given)
    return _row(body, given, line, checksum, model=_text(body, "model", given), sampler=_sampler(body))


def _check_address(data: Mapping[Any, Any], given: str | int) -> None:
    method, url = data.get("method"), data.get("url")
    if method not in {None, "POST"}:
        raise RowError(f"method must be POST, not {shown(method)}", "shape", given)
    if url is not None and not (isinstance(url, str) and url.endswith("/chat/completions")):
        raise RowError(f"url must be /v1/chat/completions, not {shown(url)}; only those are run", "shape", given)


def _check_body(body: Mapping[Any, Any], given: str | int) -> None:
    if "prompt" in body and "messages" not in body:
        raise RowError("body has a prompt instead of messages; a row is a conversation", "shape", given)
    _check_keys(body, _KNOWN_IN_BODY, given, "body.")
    if body.get("stream"):
        raise RowError("body.stream must be false: a row's reply comes whole", "shape", given)


def _sampler(body: Mapping[Any, Any]) -> dict[str, object]:
    found = _settings(body)
    if isinstance(stop := found.get("stop"), str):
        found["stop"] = [stop]
    if passed := {key: value for key, value in body.items() if key in _PASSED_ON and value is not None}:
        found["extra"] = {**cast("dict[str, object]", found.get("extra") or {}), **passed}
    return found


def profile_of(row: BatchRow, config: Config, default: str | None) -> str:
    """The profile that *row* is for; *default* is the batch's, None for the configuration's own.

    A row's *model* is looked for among the names of profiles, then among their models, that of the batch's profile
    first. Raises :class:`RowError` for one that is neither, unless a profile was named for the whole batch, and for a
    *profile* that does not exist.
    """
    fallback = config.default_profile if default is None else default
    if row.profile is not None and row.profile not in config.profiles:
        raise RowError(Suggestions().no_profile(row.profile, config.profiles), "profile", row.id)
    if row.model is None:
        return fallback if row.profile is None else row.profile
    if row.model in config.profiles:
        return row.model
    first = config.profiles.get(fallback)
    candidates = [*([first] if first is not None else []), *config.profiles.values()]
    if (found := next((each.name for each in candidates if each.model == row.model), None)) is not None:
        return found
    if default is not None:
        return default
    message = f"no profile is named {shown(row.model)} or has that model; name one for all rows with --profile"
    raise RowError(message, "model", row.id)
