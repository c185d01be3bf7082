"""What is sent: address and body of a request."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from roleforge_llm.backends import Capabilities, Request
from roleforge_llm_builtin.openai_compatible.capabilities import is_openai

__all__ = ["body_of", "url_of"]

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
