"""What would be sent, byte for byte, and why; nothing is sent, no secret is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from roleforge_llm.backends import Backend, Request
from roleforge_llm.client.planning import plan
from roleforge_llm.client.requests import Options, StopOrigin, build_request, stop_origins
from roleforge_llm.client.targets import Target
from roleforge_llm.host import PluginHost
from roleforge_llm.host.offers import OfferKind
from roleforge_llm.messages import Conversation
from roleforge_llm.policies import Plan
from roleforge_llm.profiles import shown_url

__all__ = ["Explanation", "StopOrigin", "explain"]


@attrs.frozen
class Explanation:
    """Everything about the first request of a call to the requested profile.

    A failure policy with an order of its own may begin with one of *fallbacks* instead, as they are doing then.
    *profile* is the requested profile, *model*, *endpoint* ("chat" or "completions") and *base_url* are where its
    request goes. *stop* are the stop sequences, each with its *text* and its *origin*. *prompt* is the exact text
    that the model continues (None where the server renders the messages), *body* the wire body, *headers* those of
    the profile with their values masked. *format*, *backend* and *policy* name the plugin and version that provide
    them. *fallbacks* are the profiles that follow, *plan* the worst case, *warnings* what is odd about it.
    """

    profile: str
    model: str
    endpoint: str
    base_url: str | None
    prompt: str | None
    stop: tuple[StopOrigin, ...]
    body: Mapping[str, object]
    headers: Mapping[str, str]
    format: str | None
    backend: str
    policy: str
    fallbacks: tuple[str, ...]
    plan: Plan
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """As plain data, for JSON."""
        return attrs.asdict(self)


def explain(
    host: PluginHost, targets: Sequence[Target], backend: Backend, conversation: Conversation, options: Options
) -> Explanation:
    """Explain the first request to the first of *targets*."""
    target = targets[0]
    profile = target.profile
    request = build_request(target, conversation, options)
    return Explanation(
        profile=profile.name,
        model=profile.model,
        endpoint=request.endpoint,
        base_url=shown_url(profile.base_url),
        prompt=request.prompt,
        stop=tuple(stop_origins(target, request.sampler)),
        body=backend.wire_body(request),
        headers=_headers(target),
        format=None if target.format is None else _provided(host, OfferKind.FORMAT, target.format.name),
        backend=_provided(host, OfferKind.BACKEND, profile.backend),
        policy=_provided(host, OfferKind.POLICY, profile.failure_policy),
        fallbacks=tuple(following.profile.name for following in targets[1:]),
        plan=plan(targets),
        warnings=(*target.warnings, *request.warnings, *_oddities(request, target)),
    )


def _headers(target: Target) -> dict[str, str]:
    headers = dict.fromkeys(target.profile.headers, "***")
    if target.profile.key() is not None:
        headers["Authorization"] = "Bearer ***"
    return headers


def _provided(host: PluginHost, kind: OfferKind, name: str) -> str:
    record = host.provider(kind, name)
    return name if record is None else f"{name}, from {record.title}"


def _oddities(request: Request, target: Target) -> Sequence[str]:
    named = [index for index, message in enumerate(request.messages) if message.name]
    if named and request.prompt is not None and target.format is not None:
        where = ", ".join(f"messages[{index}]" for index in named)
        return (f"the format {target.format.name} does not show names; {where} has one",)
    return ()
