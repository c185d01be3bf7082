"""From a request to the settings that go with its prompt, checked. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from roleforge_llm import Fault, InvalidRequest, Request
from roleforge_llm_llamacpp.parameters import OURS, parameters

if TYPE_CHECKING:
    from roleforge_llm import Profile

__all__ = ["check_profile", "checked_settings", "completion_body"]

_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "max_tokens": "n_predict",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "logit_bias": "logit_bias",
    "seed": "seed",
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length",
    "dry_sequence_breakers": "dry_sequence_breakers",
}
"""The settings of a sampler, and llama.cpp's names of them."""

_FIELDS = {name: field for field, name in _NAMES.items()}
_CONSTRAINTS = ("grammar", "json_schema")


def check_profile(profile: Profile) -> Sequence[Fault]:
    """What is wrong with the settings of *profile*, whatever it is asked."""
    asked = {"type": "json_object"} if profile.format == "json" else None
    request = Request(profile, profile.effective_endpoint, (), profile.sampler, response_format=asked)
    return list(_faults(request))


def checked_settings(request: Request) -> Mapping[str, object]:
    """The sampler's settings and its ``extra`` by llama.cpp's names.

    Raises :class:`InvalidRequest`, with everything that is wrong.
    """
    if faults := list(_faults(request)):
        raise InvalidRequest("; ".join(map(str, faults)), kind="sampler")
    return _settings(request)


def completion_body(request: Request) -> dict[str, object]:
    """What is posted to ``/completion``. Raises :class:`InvalidRequest` for settings that cannot be meant."""
    body: dict[str, object] = {"prompt": request.prompt or "", **checked_settings(request)}
    if request.profile.base_url is not None and request.profile.model:
        body["model"] = request.profile.model  # a server of several models needs it; an embedded one has one
    if isinstance(biases := body.get("logit_bias"), Mapping):
        # Older servers take only a list of pairs.
        body["logit_bias"] = [[int(token) if token.isdecimal() else token, bias] for token, bias in biases.items()]
    if request.response_format is not None and request.response_format.get("type") != "text":
        body["json_schema"] = _schema_in(request.response_format)
    if request.stop:
        body["stop"] = list(request.stop)
    if request.stream:
        body["stream"] = True
    return body


def _settings(request: Request) -> dict[str, object]:
    values = {name: getattr(request.sampler, field) for field, name in _NAMES.items()}
    return {name: value for name, value in values.items() if value is not None} | dict(request.sampler.extra)


def _faults(request: Request) -> Iterator[Fault]:
    yield from _unknown(request)
    yield from _out_of_range(request)
    yield from _given_twice(request)
    yield from _conflicts(request)


def _unknown(request: Request) -> Iterator[Fault]:
    import difflib

    known = parameters(request.endpoint)
    for name in request.sampler.extra:
        path = f"sampler.extra.{name:.60}"
        if name in OURS:
            yield Fault(path, f"cannot be set; {OURS[name]}")
        elif name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "the README of roleforge-llm-llamacpp lists them all"
            yield Fault(path, f"is no parameter of llama.cpp's {request.endpoint}; {hint}")


def _out_of_range(request: Request) -> Iterator[Fault]:
    known = parameters(request.endpoint)
    for name, value in _settings(request).items():
        if name in known and not known[name].admits(value):
            path = f"sampler.extra.{name}" if name in request.sampler.extra else f"sampler.{_FIELDS[name]}"
            yield Fault(path, f"must be {known[name].describe()}, not {value!r:.60}")


def _given_twice(request: Request) -> Iterator[Fault]:
    for field, name in _NAMES.items():
        if name not in OURS and name in request.sampler.extra and getattr(request.sampler, field) is not None:
            yield Fault(f"sampler.extra.{name}", f"is the same setting as sampler.{field}; leave one out")


def _conflicts(request: Request) -> Iterator[Fault]:
    extra = request.sampler.extra
    given = [f"sampler.extra.{name}" for name in _CONSTRAINTS if name in extra]
    if request.response_format is not None and request.response_format.get("type") != "text":
        if request.endpoint == "completions" and _schema_in(request.response_format) is None:
            yield Fault("response_format", f"must be {_RESPONSE_FORMATS}")
        given.append("response_format")
    if request.tools and "grammar" in extra:
        given.append("tools")
    if len(given) > 1:
        yield Fault(given[0], f"cannot hold beside {' and '.join(given[1:])}: each says what the reply may be")


_RESPONSE_FORMATS = '{"type": "json_object"}, or of the type "json_schema" with a schema in it'


def _schema_in(response_format: Mapping[str, object]) -> Mapping[str, object] | None:
    """The JSON schema that a ``response_format`` stands for; None where it is of no known shape."""
    kind = response_format.get("type")
    found = response_format.get("json_schema") if kind == "json_schema" else response_format
    if kind not in {"json_object", "json_schema"} or not isinstance(found, Mapping):
        return None
    schema = found.get("schema", {"type": "object"} if kind == "json_object" else None)
    return schema if isinstance(schema, Mapping) else None
