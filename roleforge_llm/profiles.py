"""Profiles: the named settings of one way to get a reply. Frozen, and checked when made."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import SplitResult, urlsplit

import attrs

__all__ = [
    "Bounds",
    "Profile",
    "RetryConfig",
    "Sampler",
    "Secret",
    "Timeouts",
    "UnsetVariable",
    "bounds_of",
    "expand",
    "shown_url",
]

Endpoint = Literal["chat", "completions"]

_REFERENCE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})")


class UnsetVariable(ValueError):
    """``${NAME}`` names an environment variable that is not set. Holds the name, never a value."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set; set it or write ${{{name}:-default}}")
        self.name = name


def expand(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Replace ``${NAME}`` and ``${NAME:-default}`` by the environment, in a single pass; ``$$`` is a dollar.

    What a variable holds is never expanded again. An empty variable counts as unset where a default is
    given, as in a shell. Raises :class:`UnsetVariable`.
    """
    environ = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if name is None:
            return "$"
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise UnsetVariable(name)
        return environ[name]

    return _REFERENCE.sub(value, text)


class Secret:
    """A key, or a reference to one (``${NAME}``), that is never shown.

    A reference is resolved when it is used, so that a pickled profile carries the name and never the
    value. A literal key refuses to pickle.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def is_reference(self) -> bool:
        """Whether all of the text, but for a ``Bearer`` before it, is a reference: nothing of it is secret."""
        match = _REFERENCE.fullmatch(self._text.removeprefix("Bearer "))
        return match is not None and match["name"] is not None and not match["default"]

    def reveal(self, environ: Mapping[str, str] | None = None) -> str:
        """The key itself. Raises :class:`UnsetVariable`."""
        return expand(self._text, environ)

    def __str__(self) -> str:
        return self._text if self.is_reference else "***"

    def __repr__(self) -> str:
        return f"Secret({self._text!r})" if self.is_reference else "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        if not self.is_reference:
            raise TypeError(
                "a profile with a literal key or header value cannot be pickled; put it into an environment "
                'variable and write "${NAME}" in its place, or use apiKeyEnv = "NAME"'
            )
        return (Secret, (self._text,))


@attrs.frozen
class Bounds:
    """The range of a number, both ends included; None is open."""

    low: float | None = None
    high: float | None = None

    def describe(self) -> str:
        """In words, for error messages."""
        if self.high is None:
            return f"at least {self.low:.15g}"
        if self.low is None:
            return f"at most {self.high:.15g}"
        return f"between {self.low:.15g} and {self.high:.15g}"

    def admits(self, value: float) -> bool:
        """Whether *value* is a finite number within the range."""
        return (
            float("-inf") < value < float("inf")
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
        )


def bounds_of(annotation: object) -> Bounds | None:
    """The :class:`Bounds` written into a field's type, looking through ``| None``."""
    if get_origin(annotation) is Annotated:
        return next((extra for extra in get_args(annotation)[1:] if isinstance(extra, Bounds)), None)
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return next((bounds for part in get_args(annotation) if (bounds := bounds_of(part)) is not None), None)
    return None


def _within(bounds: Bounds) -> "Callable[[object, attrs.Attribute[Any], float | None], None]":
    def check(_: object, attribute: "attrs.Attribute[Any]", value: float | None) -> None:
        if value is not None and not bounds.admits(value):
            raise ValueError(f"{attribute.name} must be {bounds.describe()}, not {value!r:.60}")

    return check


def _with_bounds(_: type, fields: "list[attrs.Attribute[Any]]") -> "list[attrs.Attribute[Any]]":
    return [
        field.evolve(validator=_within(bounds))
        if field.validator is None and (bounds := bounds_of(field.type)) is not None
        else field
        for field in fields
    ]


NonNegative = Annotated[float, Bounds(low=0, high=1_000_000)]
Count = Annotated[int, Bounds(low=0, high=1_000_000)]
Seconds = Annotated[float, Bounds(low=0, high=86_400 * 7)]
Milliseconds = Annotated[float, Bounds(low=0, high=86_400_000)]
Tokens = Annotated[int, Bounds(low=1, high=100_000_000)]
Penalty = Annotated[float, Bounds(low=-2, high=2)]
Share = Annotated[float, Bounds(low=0, high=1)]


@attrs.frozen(field_transformer=_with_bounds)
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


@attrs.frozen(field_transformer=_with_bounds)
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


@attrs.frozen(field_transformer=_with_bounds)
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


def url_fault(url: str) -> str | None:
    """What is wrong with *url* as a server's base URL, or None. Shows nothing of it that could be secret."""
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        return "must not contain white space or control characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is no URL ({error})"
    return _authority_fault(parts, port)


def _authority_fault(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in {"http", "https"}:
        return 'must begin with "http://" or "https://"'
    if parts.username is not None or parts.password is not None:
        return "must not contain a user name or password; use apiKey or headers"
    if not parts.hostname:
        return "names no host"
    if port == 0:
        return "must not use port 0"
    return None


def shown_url(url: str | None) -> str | None:
    """*url* as it may be shown: the values in its query, which may be keys, are masked."""
    if url is None or "?" not in url:
        return url
    address, _, query = url.partition("?")
    return f"{address}?" + "&".join(field.partition("=")[0] + "=***" for field in query.split("&"))


def _secret(key: "str | Secret | None") -> "Secret | None":
    return Secret(key) if isinstance(key, str) else key


@attrs.frozen(field_transformer=_with_bounds)
class Profile:
    """Everything that one way of getting a reply needs, under one name.

    *template* is the name or path of a prompt format, a template's text, or "server" for the server's own;
    *template_variables* are further values for it. *endpoint* is None to let :attr:`effective_endpoint`
    decide. *fallback_profiles* are tried in order when this profile fails; their own lists are not
    followed. *chat_prefill* overrides what the backend says about continuing an assistant prefill on a chat
    endpoint. *cooldown_seconds* is how long a profile that exhausted its retries is skipped.
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

        Raises :class:`UnsetVariable`.
        """
        if self.api_key is not None:
            return self.api_key.reveal(environ) or None
        if self.api_key_env is not None:
            return expand(f"${{{self.api_key_env}}}", environ) or None
        return None

    def secrets(self, environ: Mapping[str, str] | None = None) -> Sequence[str]:
        """Every text of this profile that must never be shown, longest first."""
        found = {secret.reveal(environ) for secret in self.headers.values()}
        if (key := self.key(environ)) is not None:
            found.add(key)
        return sorted((text for text in found if text), key=len, reverse=True)
