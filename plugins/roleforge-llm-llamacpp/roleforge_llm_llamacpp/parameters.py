"""What a request to llama.cpp's server may hold, by name.

The server passes over names that it does not know, and moves numbers that are out of range into it, without a
word. So both are refused here. Source: the README of llama.cpp's server, "POST /completion", and its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from roleforge_llm.profiles import Endpoint
from roleforge_llm_llamacpp.values import Adapters, Biases, Flag, Kind, Number, Schema, Text, Texts, Whole

__all__ = ["OURS", "PARAMETERS", "SAMPLERS", "parameters"]

SAMPLERS = (
    "penalties",
    "dry",
    "top_n_sigma",
    "top_k",
    "typ_p",
    "top_p",
    "min_p",
    "xtc",
    "temperature",
    "adaptive_p",
    "infill",
)
"""What ``samplers`` can put into an order. All but the last two are the order that the server has by itself."""

PARAMETERS: Mapping[str, Kind] = MappingProxyType(
    {
        "temperature": Number(low=0),
        "dynatemp_range": Number(low=0),
        "dynatemp_exponent": Number(low=0),
        "top_k": Whole(low=-1),
        "top_p": Number(0, 1),
        "min_p": Number(0, 1),
        "top_n_sigma": Number(),
        "typical_p": Number(0, 1),
        "xtc_probability": Number(0, 1),
        "xtc_threshold": Number(0, 1),
        "repeat_penalty": Number(low=0),
        "repeat_last_n": Whole(low=-1),
        "frequency_penalty": Number(),
        "presence_penalty": Number(),
        "dry_multiplier": Number(low=0),
        "dry_base": Number(low=1),
        "dry_allowed_length": Whole(low=0),
        "dry_penalty_last_n": Whole(low=-1),
        "dry_sequence_breakers": Texts(),
        "mirostat": Whole(0, 2),
        "mirostat_tau": Number(low=0),
        "mirostat_eta": Number(low=0),
        "adaptive_target": Number(high=1),
        "adaptive_decay": Number(0, 0.99),
        "samplers": Texts(SAMPLERS),
        "seed": Whole(-1, 2**32 - 1),
        "min_keep": Whole(low=0),
        "logit_bias": Biases(),
        "ignore_eos": Flag(),
        "grammar": Text(),
        "json_schema": Schema(),
        "lora": Adapters(),
        "n_keep": Whole(low=-1),
        "n_discard": Whole(low=0),
        "n_indent": Whole(low=0),
        "t_max_predict_ms": Whole(low=-1),
        "id_slot": Whole(low=-1),
        "cache_prompt": Flag(),
        "n_cache_reuse": Whole(low=0),
        "n_probs": Whole(low=0),
        "post_sampling_probs": Flag(),
        "return_tokens": Flag(),
        "return_progress": Flag(),
        "timings_per_token": Flag(),
        "sse_ping_interval": Whole(low=-1),
        "backend_sampling": Flag(),
    }
)
"""Every parameter that ``sampler.extra`` may hold, on both endpoints."""

_CHAT: Mapping[str, Kind] = MappingProxyType(
    {
        "chat_template_kwargs": Schema("a table"),
        "reasoning_format": Text(("none", "auto", "deepseek", "deepseek-legacy")),
        "parallel_tool_calls": Flag(),
        "parse_tool_calls": Flag(),
        "tool_choice": Text(("auto", "none", "required")),
        "logprobs": Flag(),
        "top_logprobs": Whole(low=0),
    }
)

OURS: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "the profile's template makes it",
        "messages": "they are given with the call",
        "tools": "they are given with the call",
        "response_format": "it is given with the call",
        "stop": "use stop of the sampler",
        "n_predict": "use maxTokens of the sampler",
        "max_tokens": "use maxTokens of the sampler",
        "max_completion_tokens": "use maxTokens of the sampler",
        "model": "use model of the profile",
        "stream": "it is the call that streams",
        "stream_options": "it is the call that streams",
        "n": "a completion is one reply",
        "n_cmpl": "a completion is one reply",
        "response_fields": "the whole reply is needed",
    }
)
"""Parameters that are not for ``sampler.extra``, and where they come from."""


def parameters(endpoint: Endpoint) -> Mapping[str, Kind]:
    """What ``sampler.extra`` may hold on *endpoint*."""
    return PARAMETERS if endpoint == "completions" else {**PARAMETERS, **_CHAT}
