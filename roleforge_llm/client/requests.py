"""From a conversation and a target to the request that is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from roleforge_llm.backends import Request
from roleforge_llm.client.targets import Target
from roleforge_llm.config import with_overrides
from roleforge_llm.errors import MessageError
from roleforge_llm.messages import Conversation
from roleforge_llm.profiles import Sampler

__all__ = ["Options", "StopOrigin", "build_request", "is_constrained", "stop_origins"]


@attrs.frozen
class Options:
    """What the caller asked for besides the conversation. *overrides* are sampler settings."""

    stream: bool = False
    timeout: float | None = None
    tools: Sequence[Mapping[str, object]] | None = None
    response_format: Mapping[str, object] | None = None
    overrides: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen
class StopOrigin:
    """A stop sequence and where it comes from: "format chatml", "sampler" or both."""

    text: str
    origin: str


def build_request(
    target: Target,
    conversation: Conversation,
    options: Options,
    *,
    received: str = "",
    tokens: int = 0,
) -> Request:
    """The request to *target*, which goes on after *received* (of *tokens* tokens) if that is given.

    Raises :class:`MessageError` where the target cannot express the conversation.
    """
    sampler = _sampler(target, options, tokens)
    request = Request(
        profile=target.profile,
        endpoint=target.profile.effective_endpoint,
        messages=conversation.messages,
        sampler=sampler,
        prefill=conversation.prefill + received,
        stop=tuple(origin.text for origin in stop_origins(target, sampler)),
        stream=options.stream,
        tools=options.tools,
        response_format=_response_format(target, options),
    )
    if request.endpoint == "chat":
        return _checked_chat(request, target)
    prompted = Conversation(conversation.messages, request.prefill, conversation.trusted_prefill)
    return _rendered(request, target, prompted, received)


def _rendered(request: Request, target: Target, conversation: Conversation, received: str) -> Request:
    from roleforge_llm.rendering import render_guarded

    assert target.format is not None, "a completions target always has a format"
    if request.tools:
        raise MessageError("tools need a chat endpoint; set endpoint = 'chat' in the profile")
    made = render_guarded(
        target.format,
        conversation,
        request.profile.template_variables,
        forged_turns=request.profile.forged_turns,
        received=received,
    )
    prompt = made.text
    if target.capabilities.adds_bos and target.format.bos == "template":
        prompt = prompt.removeprefix(target.format.bos_token)
    return attrs.evolve(request, prompt=prompt, escaped=made.escaped, warnings=made.warnings)


def _checked_chat(request: Request, target: Target) -> Request:
    if request.prefill and not target.capabilities.continues_prefill:
        raise MessageError(
            f"the conversation ends with an assistant message, which the chat endpoint of profile "
            f"{target.profile.name} would not continue; use endpoint = 'completions', or chatPrefill = true if "
            f"its server does",
            len(request.messages),
        )
    return request


def _sampler(target: Target, options: Options, tokens: int) -> Sampler:
    sampler = with_overrides(target.profile.sampler, options.overrides)
    if tokens and sampler.max_tokens is not None:
        sampler = attrs.evolve(sampler, max_tokens=max(1, sampler.max_tokens - tokens))
    return sampler


def _response_format(target: Target, options: Options) -> Mapping[str, object] | None:
    if options.response_format is not None or target.profile.format is None:
        return options.response_format
    return {"type": "json_object"}


def is_constrained(target: Target, options: Options) -> bool:
    """Whether the reply must follow a schema or a grammar, which *target* would begin anew in the middle of it."""
    asked = _response_format(target, options)
    if asked is not None and asked.get("type") != "text":
        return True
    return not target.capabilities.constraints.isdisjoint(_sampler(target, options, 0).extra)


def stop_origins(target: Target, sampler: Sampler) -> Sequence[StopOrigin]:
    """The stop sequences of format and sampler: union, in order, empties dropped, each with its origin."""
    origins: dict[str, list[str]] = {}
    for text, origin in _stops(target, sampler):
        if text and origin not in origins.setdefault(text, []):
            origins[text].append(origin)
    return [StopOrigin(text, " and ".join(found)) for text, found in origins.items()]


def _stops(target: Target, sampler: Sampler) -> Iterator[tuple[str, str]]:
    if target.format is not None:
        yield from ((text, f"format {target.format.name}") for text in target.format.stop)
    yield from ((text, "sampler") for text in sampler.stop)
