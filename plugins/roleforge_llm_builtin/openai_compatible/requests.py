"""What is sent: address, headers and body of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from roleforge_llm import __version__
from roleforge_llm.backends import Capabilities, Request
from roleforge_llm.errors import InvalidRequest
from roleforge_llm.profiles import Profile
from roleforge_llm_builtin.openai_compatible.capabilities import is_openai

__all__ = ["body_of", "encoded", "headers_of", "url_of"]

_PATHS = {"chat": "/chat/completions", "completions": "/completions"}

_SAMPLER_KEYS = (
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    # Not OpenAI's; llama.cpp, KoboldCPP, TabbyAPI and text-generation-webui take them by these names, and
    # vLLM the first two.
    "top_k",
    "min_p",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dry_sequence_breakers",
)
"""Settings of a sampler that have the same name on the wire."""


def url_of(request: Request) -> str:
    """Where *request* goes; a query of the profile's base URL stays at the end."""
    base = urlsplit(request.profile.base_url or "")
    return urlunsplit(base._replace(path=base.path.rstrip("/") + _PATHS[request.endpoint], fragment=""))


def headers_of(profile: Profile) -> dict[str, str]:
    """The headers of a request: the profile's own stand over the key, and both over the rest.

    Raises :class:`InvalidRequest` for a value that cannot stand in a header.
    """
    headers = {
        "accept-encoding": "identity",
        "user-agent": f"roleforge-llm/{__version__}",
        "content-type": "application/json",
    }
    if key := profile.key():
        headers["authorization"] = f"Bearer {key}"
    headers |= {name.lower(): secret.reveal() for name, secret in profile.headers.items()}
    for name, value in headers.items():
        if not (name.isascii() and name.isprintable() and value.isascii() and value.isprintable()):
            what = "apiKey" if name == "authorization" else f"the header {name!r:.60}"
            raise InvalidRequest(
                f"{what} of the profile cannot stand in a header; is a line break in it?", kind="unsendable"
            )
    return headers


def body_of(request: Request, capabilities: Capabilities) -> dict[str, object]:
    """The body of *request*, as it stands on the wire."""
    body: dict[str, object] = {"model": request.profile.model} if request.profile.model else {}
    if request.endpoint == "completions":
        body["prompt"] = request.prompt or ""
    else:
        body["messages"] = _messages(request)
    body |= _sampling(request)
    if request.stop:
        body["stop"] = list(request.stop[: capabilities.max_stop])
    if request.tools is not None:
        body["tools"] = list(request.tools)
    if request.response_format is not None:
        body["response_format"] = request.response_format
    elif request.profile.format == "json":
        body["response_format"] = {"type": "json_object"}
    if request.stream:
        # OpenAI, llama.cpp, vLLM, TabbyAPI and LM Studio count tokens in a stream only if asked to; the
        # others pass over a field they do not know.
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body | dict(request.sampler.extra)


def _messages(request: Request) -> list[Mapping[str, object]]:
    messages: list[Mapping[str, object]] = [message.to_dict() for message in request.messages]
    if request.prefill:
        messages.append({"role": "assistant", "content": request.prefill})
    return messages


def _sampling(request: Request) -> dict[str, object]:
    sampler = request.sampler
    body: dict[str, object] = {key: value for key in _SAMPLER_KEYS if (value := getattr(sampler, key)) is not None}
    if sampler.max_tokens is not None:
        # OpenAI's reasoning models refuse max_tokens on chat; many local servers pass over the newer name.
        newer = request.endpoint == "chat" and is_openai(request.profile)
        body["max_completion_tokens" if newer else "max_tokens"] = sampler.max_tokens
    return body


def encoded(body: Mapping[str, object]) -> bytes:
    """*body* as JSON. Raises :class:`InvalidRequest` for what JSON cannot hold (from ``extra`` or ``tools``)."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"the request is not JSON: {error}; check sampler.extra and tools", kind="unsendable"
        ) from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
