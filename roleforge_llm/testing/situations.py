"""What failure policies are asked about: failures and health of every kind, always the same ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

import attrs

from roleforge_llm.attempts import Attempt, Failure, Health
from roleforge_llm.errors import (
    AuthenticationFailed,
    BackendError,
    BadReply,
    ConnectFailed,
    ContextTooLong,
    RateLimited,
    ServerError,
    StreamBroken,
    Timeout,
    TooLarge,
)
from roleforge_llm.profiles import Profile, RetryConfig

__all__ = ["PROFILES", "STEADY", "Situation", "described", "failures", "plainest", "situations"]

PROFILES = (
    Profile("patient"),
    Profile("impatient", retry_config=RetryConfig(max_retries=0)),
    Profile(
        "jittery",
        retry_config=RetryConfig(
            max_retries=5, initial_delay_ms=100, backoff_multiplier=3, jitter_factor=1, max_delay_ms=2000
        ),
    ),
)
"""Profiles whose settings differ in what policies go by."""

STEADY: tuple[tuple[BackendError, bool], ...] = (
    (ServerError("busy", kind="status", status=503), True),
    (RateLimited("too many", kind="status", status=429, retry_after=59.0), True),
    (Timeout("nothing came", kind="first-token"), True),
    (ConnectFailed("refused", kind="refused"), True),
)
"""Errors, and whether they are worth a retry, that a server may give again and again."""

_ERRORS: tuple[tuple[BackendError, bool], ...] = (
    *STEADY,
    (RateLimited("later", kind="status", status=429, retry_after=86400.0), True),
    (RateLimited("no money", kind="quota", status=429), False),
    (StreamBroken("cut off", kind="reset", partial="Once"), True),
    (BadReply("half of it", kind="unreadable"), True),
    (BadReply("another shape", kind="shape"), False),
    (AuthenticationFailed("who are you?", kind="status", status=401), False),
    (ContextTooLong("too long", kind="status", status=400), False),
    (TooLarge("too much", kind="body"), False),
    (BackendError("a fault of the backend"), False),
)
_JITTERS = (0.0, 0.5, 0.999999)
_NAMES = ("first", "second", "third", "fourth")


def failures(count: int, profile: Profile) -> Iterator[Failure]:
    """Each error once, as a first failure on *profile*, and *count* in the middle of calls."""
    for error, retryable in _ERRORS:
        yield Failure(error, retryable, profile.name, retry_config=profile.retry_config)
    draw = random.Random(count)  # noqa: S311  # for variety
    for _ in range(count):
        error, retryable = draw.choice(_ERRORS)
        number = draw.randint(1, 6)
        yield Failure(
            error,
            retryable,
            profile.name,
            number=number,
            attempts=tuple(Attempt(profile.name, at, ok=False, error="busy") for at in range(1, number)),
            elapsed=draw.choice((0.0, 3.7, 900.0)),
            remaining=draw.choice((None, None, 0.5, 30.0)),
            received=draw.choice(("", "", "Once upon")),
            can_continue=draw.choice((True, True, False)),
            profiles_left=_NAMES[: draw.randint(0, 3)],
            retry_config=profile.retry_config,
            jitter=draw.choice(_JITTERS),
            health={name: _health(draw) for name in _NAMES if draw.random() < 0.3},
        )


def plainest(failure: Failure, breaks: Callable[[Failure], bool]) -> Failure:
    """*failure* with as little out of the ordinary as still *breaks* something."""
    usual = _usual(failure)
    for name in _REST:
        plainer: Failure = attrs.evolve(failure, **{name: getattr(usual, name)})
        if plainer != failure and breaks(plainer):
            failure = plainer
    return failure


_REST = [field.name for field in attrs.fields(Failure) if field.name not in {"error", "retryable", "profile"}]


def _usual(failure: Failure) -> Failure:
    """A first failure like *failure*, with nothing else to be said of it."""
    return Failure(failure.error, failure.retryable, failure.profile, retry_config=failure.retry_config)


def described(failure: Failure) -> str:
    """*failure* in one line, without what is as usual."""
    error = failure.error
    said = [f"{type(error).__name__}({error.message!r}, kind={error.kind!r}"]
    said += [f"status={error.status}"] if error.status else []
    said += [f"retry_after={error.retry_after}"] if error.retry_after is not None else []
    usual, fields = _usual(failure), [f"retryable={failure.retryable}"]
    for name in _REST:
        value = getattr(failure, name)
        if value != getattr(usual, name):
            fields.append(f"{len(value)} attempts before" if name == "attempts" else f"{name}={value!r}")
    return f"a failure on the profile {failure.profile!r}: {', '.join(said)}), {', '.join(fields)}"


@attrs.frozen
class Situation:
    """The question of ``route``: the *profiles* of a call, and the *health* of those that were ever tried."""

    profiles: tuple[str, ...]
    health: Mapping[str, Health]

    def __str__(self) -> str:
        known = {name: attrs.asdict(health, filter=_unusual) for name, health in self.health.items()}
        return f"route({list(self.profiles)}, {known})"


def _unusual(field: attrs.Attribute[object], value: object) -> bool:
    return value != field.default


def situations(count: int) -> Iterator[Situation]:
    """One to four profiles that nobody has tried, and *count* where some have a history."""
    for number in range(1, len(_NAMES) + 1):
        yield Situation(_NAMES[:number], {})
    draw = random.Random(count)  # noqa: S311  # for variety
    for _ in range(count):
        names = tuple(draw.sample(_NAMES, draw.randint(1, len(_NAMES))))
        yield Situation(names, {name: _health(draw) for name in names if draw.random() < 0.8})


def _health(draw: random.Random) -> Health:
    failed, started = draw.randint(0, 4), draw.randint(1, 50)
    return Health(
        in_flight=draw.randint(0, 3),
        started=started,
        recent=draw.randint(0, started),
        latency=draw.choice((None, 0.2, 1.0, 30.0)),
        last_start=draw.choice((700.0, 999.0)),
        last_success=draw.choice((None, 900.0, 990.0)),
        last_failure=995.0 if failed else None,
        consecutive_failures=failed,
        resting_until=draw.choice((None, 1060.0)) if failed else None,
        now=1000.0,
    )
