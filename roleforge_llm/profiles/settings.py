"""The settings of a profile."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import attrs

from roleforge_llm.profiles.bounds import Bounds, with_bounds
from roleforge_llm.profiles.secrets import Secret, variable
from roleforge_llm.profiles.urls import shown_url, url_fault

__all__ = ["Endpoint", "Profile", "RetryConfig", "Sampler", "Timeouts"]

Endpoint = Literal["chat", "completions"]

NonNegative = Annotated[float, Bounds(low=0, high=1_000_000)]
Count = Annotated[int, Bounds(low=0, high=1_000_000)]
Seconds = Annotated[float, Bounds(low=0, high=86_400 * 7)]
Milliseconds = Annotated[float, Bounds(low=0, high=86_400_000)]
Tokens = Annotated[int, Bounds(low=1, high=100_000_000)]
Penalty = Annotated[float, Bounds(low=-2, high=2)]
Share = Annotated[float, Bounds(low=0, high=1)]


@attrs.frozen(field_transformer=with_bounds)
class Sampler:
    """How the model picks tokens. None leaves a setting to the server; 0 is a value.

    *max_tokens* bounds the reply and *max_context_tokens* prompt and reply together, both in tokens.
    *extra* is added to the request as it stands, for what only one server knows.
    """

    temperature: Annotated[float, Bounds(low=0, high=100)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Bounds(low=-1, high=1_000_000)] | None = None
    min_p: Share | None = None
    max_tokens: Tokens | None = None
    max_context_tokens: Tokens | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stop: tuple[str, ...] = ()
    logit_bias: Mapping[str, Annotated[float, Bounds(low=-100, high=100)]] | None = None
    seed: Annotated[int, Bounds(low=-1, high=2**63 - 1)] | None = None
    dry_multiplier: NonNegative | None = None
    dry_base: NonNegative | None = None
    dry_allowed_length: Count | None = None
    dry_sequence_breakers: tuple[str, ...] | None = None
    extra: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen(field_transformer=with_bounds)
class RetryConfig:
    """When to retry. Delays in milliseconds.

    *max_retries* counts the retries after the first attempt (3 means at most 4 requests). The delay before
    retry n is ``initial_delay_ms * backoff_multiplier ** (n - 1)``, times ``1 + jitter_factor * jitter``
    with jitter in [0, 1).
    """

    max_retries: Annotated[int, Bounds(low=0, high=1000)] = 3
    initial_delay_ms: Milliseconds = 1000
    backoff_multiplier: Annotated[float, Bounds(low=1, high=100)] = 2
    jitter_factor: Annotated[float, Bounds(low=0, high=10)] = 0.1
    max_delay_ms: Milliseconds = 60_000


@attrs.frozen(field_transformer=with_bounds)
class Timeouts:
    """Time limits in seconds; None is no limit.

    *first_token* runs from the sent request to the first piece of the reply (local servers process the
    prompt in it), *idle* between two pieces, *attempt* over one request, *total* over the whole call with
    all waits, retries and fallbacks. *loading* is how long a server that says that it is still loading its model
    is asked again and again before that counts as a failed attempt.
    """

    connect: Seconds | None = 10
    first_token: Seconds | None = 300
    idle: Seconds | None = 60
    attempt: Seconds | None = 600
    total: Seconds | None = None
    loading: Seconds = 60


def _check_url(_: object, attribute: "attrs.Attribute[Any]", value: str | None) -> None:
    if value is not None and (reason := url_fault(value)):
        raise ValueError(f"{attribute.name} {reason}")


def _secret(key: "str | Secret | None") -> "Secret | None":
    return Secret(key) if isinstance(key, str) else key


@attrs.frozen(field_transformer=with_bounds)
class Profile:
    """Everything that one way of getting a reply needs, under one name.

    *template* is the name or path of a prompt format, a template's text, or "server" for the server's own;
    *template_variables* are further values for it. *endpoint* is None to let :attr:`effective_endpoint`
    decide. *fallback_profiles* are tried in order when this profile fails; their own lists are not
    followed. *chat_prefill* overrides what the backend says about continuing an assistant prefill on a chat
    endpoint. *cooldown_seconds* is how long a profile that exhausted its retries is skipped. *policy_options* are for
    the failure policy, which says what it takes.
    """

    name: str
    type: Literal["openai", "custom"] | None = None
    backend: str = "openai-compatible"
    base_url: str | None = attrs.field(default=None, validator=_check_url, repr=lambda url: repr(shown_url(url)))
    api_key: Secret | None = attrs.field(default=None, converter=_secret)
    api_key_env: str | None = None
    model: str = ""
    template: str | None = None
    template_variables: Mapping[str, object] = attrs.field(factory=dict)
    endpoint: Endpoint | None = None
    sampler: Sampler = attrs.field(factory=Sampler)
    fallback_profiles: tuple[str, ...] = ()
    failure_policy: str = "backoff-then-fallback"
    policy_options: Mapping[str, object] = attrs.field(factory=dict)
    retry_config: RetryConfig = attrs.field(factory=RetryConfig)
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    on_interrupt: Literal["continue", "raise"] = "continue"
    on_overflow: Literal["trim", "error"] = "trim"
    forged_turns: Literal["escape", "reject"] = "escape"
    cooldown_seconds: Seconds = 0
    headers: Mapping[str, Secret] = attrs.field(factory=dict)
    format: Literal["json"] | None = None
    chat_prefill: bool | None = None

    @property
    def effective_endpoint(self) -> Endpoint:
        """``endpoint`` if given; else chat for type openai, completions for type custom, else by ``template``."""
        if self.endpoint is not None:
            return self.endpoint
        if self.type is not None:
            return "chat" if self.type == "openai" else "completions"
        return "completions" if self.template else "chat"

    def key(self, environ: Mapping[str, str] | None = None) -> str | None:
        """The API key itself, from ``api_key`` or the variable ``api_key_env``; None where it is empty.

        Raises a ValueError where that variable is not set.
        """
        if self.api_key is not None:
            return self.api_key.reveal(environ) or None
        if self.api_key_env is not None:
            return variable(self.api_key_env, environ) or None
        return None

    def secrets(self, environ: Mapping[str, str] | None = None) -> Sequence[str]:
        """Every text of this profile that must never be shown, longest first."""
        found = {secret.reveal(environ) for secret in self.headers.values()}
        if (key := self.key(environ)) is not None:
            found.add(key)
        return sorted((text for text in found if text), key=len, reverse=True)
