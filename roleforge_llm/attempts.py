"""What happened: attempts, failures, events, and the health of a profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from roleforge_llm.errors import BackendError
from roleforge_llm.profiles import RetryConfig

__all__ = ["Attempt", "Event", "EventKind", "Failure", "Health"]


@attrs.frozen
class Attempt:
    """One request to one profile.

    *number* counts from 1 on that profile, *waited* is the seconds waited before it was sent, *elapsed* the seconds
    it took, *ok* whether it gave a reply. A failed attempt has *error* (one line, secrets masked), *kind* and
    *status*, and in *next* what the policy decided then.
    """

    profile: str
    number: int
    ok: bool
    error: str | None = None
    kind: str | None = None
    status: int | None = None
    waited: float = 0.0
    elapsed: float = 0.0
    next: str | None = None

    def __str__(self) -> str:
        waited = f" after {self.waited:.3g} s" if self.waited else ""
        outcome = "ok" if self.ok else f"{self.error} -> {self.next}"
        return f"{self.profile}, attempt {self.number}{waited}: {outcome}"


@attrs.frozen
class Failure:
    """A classified error, and all that a failure policy may know when it decides.

    A classifier (``roleforge_classify_error``) gives *error* and *retryable*; the host fills in the rest: *number* of
    the failed attempt on this profile, *attempts* before this one in the whole call, *elapsed* seconds since the call
    began and *remaining* seconds until its deadline (None without one), the text *received* so far and whether it
    *can_continue* from there on this profile, the *profiles_left* to fall back to, the *retry_config* of this
    profile, the *health* of those profiles that the client has tried before, and *jitter*, a number in [0, 1) that
    the host drew.
    """

    error: BackendError
    retryable: bool
    profile: str = ""
    number: int = 1
    attempts: tuple[Attempt, ...] = ()
    elapsed: float = 0.0
    remaining: float | None = None
    received: str = ""
    can_continue: bool = True
    profiles_left: tuple[str, ...] = ()
    retry_config: RetryConfig = attrs.field(factory=RetryConfig)
    jitter: float = 0.0
    health: Mapping[str, Health] = attrs.field(factory=dict, hash=False)


@attrs.frozen
class Health:
    """How a profile was doing at the time *now*, over all calls of one client. Times in seconds on the client's clock.

    An attempt counts as *started* and *in_flight* from the moment at which its profile was chosen (*last_start*).
    *recent* is for comparing profiles: the attempts started of late. It begins anew for all profiles when one of
    them fails or comes back, and is halved for all of them at times, so that what was long ago weighs little.

    *latency* is how long the profile takes to begin its reply, to end it where it does not stream: a mean of which
    the last reply makes a quarter. *consecutive_failures* ends with the first piece of a reply. An error that is the
    request's own fault (``InvalidRequest``, but not ``NotFound``) counts for nothing. *last_success* and
    *last_failure* are when replies and failures ended; a profile that cools down is left alone until *resting_until*.
    """

    in_flight: int = 0
    started: int = 0
    recent: float = 0.0
    latency: float | None = None
    last_start: float | None = None
    last_success: float | None = None
    last_failure: float | None = None
    consecutive_failures: int = 0
    resting_until: float | None = None
    now: float = 0.0


EventKind = Literal[
    "context-trimmed",
    "markers-escaped",
    "attempt-started",
    "server-loading",
    "attempt-failed",
    "retry-scheduled",
    "fell-back",
    "stream-interrupted",
    "finished",
    "gave-up",
]


@attrs.frozen
class Event:
    """Something that happened in a call, for observers.

    *call* is the same for all events of one call, *number* that of the attempt on *profile*, *received* the number of
    characters handed out so far. *wait* is in seconds; *next_profile* is the one that the call goes on with; *error*
    is masked. *kind* is one of these:

    - ``context-trimmed``: messages were left out, so that the conversation fits the window
    - ``markers-escaped``: a message had markers of turns in it, which were escaped
    - ``attempt-started``: a request is about to be sent
    - ``server-loading``: the server is loading its model, and is asked again after *wait*
    - ``attempt-failed``: the request failed with *error*
    - ``retry-scheduled``: the same profile is tried again after *wait*
    - ``fell-back``: the attempt was the last one on *profile*, and the call goes on with *next_profile*
    - ``stream-interrupted``: the attempt failed after some of its text had been received
    - ``finished``: the call has its reply
    - ``gave-up``: the call ends with *error*
    """

    kind: EventKind
    call: int
    profile: str
    number: int
    error: BackendError | None = None
    wait: float | None = None
    next_profile: str | None = None
    received: int = 0
