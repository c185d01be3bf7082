"""What a backend must keep to when its server fails: the right errors, in time, with bounds, and without secrets."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from roleforge_llm.attempts import Attempt, Failure
from roleforge_llm.backends import Request
from roleforge_llm.errors import BackendError, BadReply, StreamBroken, TooLarge
from roleforge_llm.host import default_host
from roleforge_llm.testing.backend_rules import LONGEST
from roleforge_llm.testing.calls import HEADER, KEY, MARGIN, How, Job, Outcome, Subject, outcomes, running
from roleforge_llm.testing.conformance import Broken, Rule
from roleforge_llm.testing.faultserver import FaultServer
from roleforge_llm.testing.mishaps import (
    ENDLESS,
    PACKED,
    Endless,
    Mishap,
    breaks,
    echoes,
    hangs,
    mishaps,
    openai_mishaps,
    packed,
    redirects,
)

__all__ = ["FAILING", "broken_by_size", "broken_when_servers_fail"]

_ERRORS = Rule(
    "errors",
    "whatever a server does is a reply, or a BackendError of the class that fits",
    "catch what your HTTP library raises, and raise the class that roleforge_llm.errors draws for it; a reply that "
    "is cut off or has another shape is none",
)
_RETRYABLE = Rule(
    "retryable",
    "class, status and kind of an error tell whether a retry can help",
    "give status=, and as kind the word that the class names: 'refused' and 'reset' may be tried again, 'dns' or "
    "'protocol' not",
)
_DEADLINE = Rule(
    "deadline",
    "a call ends by request.deadline with a Timeout, however the server hangs or drips",
    "limit each read by what is left of request.deadline, and look at the clock between reads",
)
_SIZE = Rule(
    "size",
    "a reply without end is not read without end",
    "count what has been read, and raise TooLarge beyond some megabytes",
)
_REDIRECTS = Rule(
    "redirects",
    "no redirect is followed: another origin would get the key",
    "switch redirects off in your HTTP library, and raise BadReply(..., kind='redirect')",
)
_SECRETS = Rule(
    "secrets",
    "no error shows the profile's key or headers, whatever the server sends back",
    "put none of the request into messages, mask what the server said, and raise errors 'from None'",
)
_PARTIAL = Rule(
    "partial",
    "of a stream that breaks, the pieces before have been given, and StreamBroken follows",
    "yield each piece when it comes; raise StreamBroken if the end of the reply has not come",
)
FAILING = tuple(rule.name for rule in (_ERRORS, _RETRYABLE, _DEADLINE, _SIZE, _REDIRECTS, _SECRETS, _PARTIAL))
"""The names of these rules."""

_PATIENCE = 0.8
"""Seconds until the deadline of calls to servers that hang."""


@attrs.frozen
class _Seen:
    """A mishap, and what came of it."""

    mishap: Mishap
    outcome: Outcome


def broken_when_servers_fail(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    """The rules that *subject*, whose protocol is known, breaks when *server* fails."""
    assert subject.answers is not None
    known = [*mishaps(subject.answers), *(openai_mishaps() if subject.openai else ())]
    known += _asynchronous(subject, mishaps(subject.answers))
    seen = _seen(subject, server, known, LONGEST)
    endless = list(hangs(subject.answers))
    late = _seen(subject, server, [*endless, *_asynchronous(subject, endless)], _PATIENCE)
    led_away = _seen(subject, server, list(redirects()), LONGEST)
    broken = _seen(subject, server, list(breaks(subject.answers)), LONGEST)
    shown = _seen(subject, server, list(echoes()), LONGEST)
    yield from _misclassified([*seen, *led_away, *shown])
    yield from _late(late)
    yield from _led_away(server, led_away)
    yield from _without_partial(subject, server, broken)
    yield from _telling([*seen, *late, *led_away, *broken, *shown])


def _seen(subject: Subject, server: FaultServer, known: Sequence[Mishap], seconds: float) -> list[_Seen]:
    deadline = time.monotonic() + seconds
    with running(subject) as made:
        jobs = [
            # Asynchronous calls close what they used, which must be nobody else's.
            Job(subject.make() if each.how[0] == "a" else made, each.how, _request(subject, server, each, deadline))
            for each in known
        ]
        found = outcomes(jobs, seconds + MARGIN, at_once=len(jobs) if seconds < LONGEST else 16)
    return [_Seen(*pair) for pair in zip(known, found, strict=True)]


def _request(subject: Subject, server: FaultServer, mishap: Mishap, deadline: float) -> Request:
    return subject.request(_url(server, mishap), stream="stream" in mishap.how, deadline=deadline)


def _asynchronous(subject: Subject, known: Iterable[Mishap]) -> Iterator[Mishap]:
    """The key ones again with asyncio, as far as the backend has its own way of that."""
    with running(subject) as made:
        for each in known:
            if each.key and made.writes(_TWINS[each.how]):
                yield attrs.evolve(each, how=_TWINS[each.how])


_TWINS: Mapping[How, How] = {"complete": "acomplete", "stream": "astream"}


def _url(server: FaultServer, mishap: Mishap) -> str:
    entry = mishap.entry
    return server.url(entry) if isinstance(entry, str) else server.session([entry]).base_url


def _classified(error: BaseException) -> Failure | None:
    """The failure that the host makes of *error*; None for what no plugin knows."""
    return default_host().classify_error(error, Attempt("p", 1, ok=False)) if isinstance(error, Exception) else None


def _misclassified(seen: Iterable[_Seen]) -> Iterator[Broken]:
    for each in seen:
        error = each.outcome.error
        if error is None:
            if None not in each.mishap.errors or each.outcome.seconds is None:
                yield _ERRORS.broken(str(each.mishap), f"{each.outcome}; {_wanted(each.mishap)}")
            continue
        failure = _classified(error)
        if failure is None or not isinstance(failure.error, _fitting(each.mishap)):
            yield _ERRORS.broken(str(each.mishap), f"{each.outcome}; {_wanted(each.mishap)}")
        elif each.mishap.retryable not in {None, failure.retryable}:
            word = "worth a retry" if failure.retryable else "not worth a retry"
            kind = failure.error.kind
            yield _RETRYABLE.broken(str(each.mishap), f"{each.outcome} (kind {kind!r}), which counts as {word}")


def _fitting(mishap: Mishap) -> tuple[type[BackendError], ...]:
    return tuple(filter(None, mishap.errors))


def _wanted(mishap: Mishap) -> str:
    names = [error.__name__ for error in _fitting(mishap)] + (["a reply"] if None in mishap.errors else [])
    return f"it should be {' or '.join(names)}"


def _late(seen: Iterable[_Seen]) -> Iterator[Broken]:
    for each in seen:
        seconds = each.outcome.seconds
        if seconds is None or seconds > _PATIENCE + MARGIN:
            came = "it had not come back" if seconds is None else f"it came back after {seconds:.1f} s"
            yield _DEADLINE.broken(f"{each.mishap}, with {_PATIENCE:g} s until the deadline", came)
        else:
            yield from _misclassified([each])


def _led_away(server: FaultServer, seen: Sequence[_Seen]) -> Iterator[Broken]:
    if server.leaked:
        came = f"the other origin got {server.leaked[0].method} {server.leaked[0].path}"
        yield _REDIRECTS.broken(str(seen[0].mishap), came)


def _without_partial(subject: Subject, server: FaultServer, seen: Sequence[_Seen]) -> Iterator[Broken]:
    assert subject.answers is not None
    (good,) = _seen(subject, server, [Mishap("", subject.answers.to("stream"), "stream", (None,), None)], LONGEST)
    if sum(bool(piece.text) for piece in good.outcome.pieces) < 2:
        return  # it does not stream
    for each in seen:
        text = each.outcome.text
        if not text or not subject.answers.text.startswith(text) or not isinstance(each.outcome.error, StreamBroken):
            yield _PARTIAL.broken(str(each.mishap), f"{text!r:.100}, then {each.outcome}")
            return


def _telling(seen: Iterable[_Seen]) -> Iterator[Broken]:
    for each in seen:
        if each.outcome.error is not None and (where := _where(each.outcome.error)) is not None:
            yield _SECRETS.broken(str(each.mishap), f"{type(each.outcome.error).__name__} shows the key in {where}")
            return


def _where(error: BaseException) -> str | None:
    """Where in *error*, and in what it came from, a secret stands."""
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None:
            continue
        for name, text in _views(one):
            if any(secret in text for secret in (KEY, HEADER)):
                return name if one is error else f"{name} of the {type(one).__name__} that it came from"
        waiting += [one.__cause__, one.__context__]
    return None


def _views(error: BaseException) -> Iterator[tuple[str, str]]:
    yield "its text", f"{error} {error!r} {error.args!r}"
    yield "its attributes", repr(getattr(error, "__dict__", ""))
    yield "its traceback", "".join(traceback.format_exception(error, chain=False))
    try:
        yield "its pickle", repr(pickle.dumps(error))
    except Exception as refused:  # noqa: BLE001  # not every foreign exception can be pickled
        yield "its pickle", repr(refused)


def broken_by_size(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    """The rules that *subject*, whose protocol is known, breaks when replies are too large."""
    assert subject.answers is not None
    for how in _WAYS:
        endless = Endless()
        mishap = Mishap("an answer without end", endless, how, _TOO_MUCH, None)
        (each,) = _seen(subject, server, [mishap], LONGEST)
        if endless.sent >= ENDLESS:
            yield _SIZE.broken(str(mishap), f"{endless.sent >> 20} MiB were read, then {each.outcome}")
            return
        yield from _misclassified([each])
    mishap = Mishap(f"a packed answer of {PACKED >> 20} MiB", packed(subject.answers), "complete", _TOO_MUCH, None)
    (each,) = _seen(subject, server, [mishap], LONGEST)
    if each.outcome.error is None:
        yield _SIZE.broken(str(mishap), f"a reply with {len(each.outcome.text) >> 20} MiB of text")
    else:
        yield from _misclassified([each])


_WAYS: tuple[How, ...] = ("complete", "stream")
_TOO_MUCH = (TooLarge, BadReply)
