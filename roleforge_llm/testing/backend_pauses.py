"""What a backend must keep to when a good stream makes a pause: another limit holds than for its first piece."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from roleforge_llm.backends import Chunk, Request
from roleforge_llm.profiles import Timeouts
from roleforge_llm.testing.backend_rules import LONGEST
from roleforge_llm.testing.calls import How, Job, Subject, outcomes, running
from roleforge_llm.testing.conformance import Broken, Rule
from roleforge_llm.testing.faultserver import FaultServer
from roleforge_llm.testing.mishaps import paused

__all__ = ["PAUSING", "broken_by_pauses", "comes_in_pieces"]

_IDLE = Rule(
    "idle",
    "a stream whose pauses are within timeouts.idle comes whole, whatever timeouts.first_token is",
    "let first_token end with the first piece; with roleforge_llm.transport, call call.clock.progress() after each",
)
PAUSING = (_IDLE.name,)
"""The names of these rules."""

_FIRST_TOKEN = 0.7
_PAUSE = 1.0
_TIMEOUTS = Timeouts(connect=5, first_token=_FIRST_TOKEN, idle=LONGEST)


def comes_in_pieces(subject: Subject, server: FaultServer) -> bool:
    """Whether the text of a stream comes in more than one piece."""
    assert subject.answers is not None
    request = subject.request(server.session([subject.answers.to("stream")]).base_url, stream=True)
    with running(subject) as made:
        (good,) = outcomes([Job(made, "stream", request)], LONGEST)
    return sum(isinstance(piece, Chunk) and bool(piece.text) for piece in good.pieces) > 1


def broken_by_pauses(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    """The rules that *subject*, whose protocol is known, breaks when a stream makes a pause."""
    assert subject.answers is not None
    if not comes_in_pieces(subject, server):
        return
    with running(subject) as made:
        ways = [how for how in _WAYS if how == "stream" or made.writes(how)]
        jobs = [Job(subject.make() if how == "astream" else made, how, _request(subject, server)) for how in ways]
        found = outcomes(jobs, LONGEST)
    for how, outcome in zip(ways, found, strict=True):
        if outcome.error is not None or outcome.text != subject.answers.text:
            given = (
                f"{how}, a pause of {_PAUSE:g} s after the first text, first_token={_FIRST_TOKEN:g}, idle={LONGEST:g}"
            )
            yield _IDLE.broken(given, f"{outcome.text!r:.100}, then {outcome}")
            return


_WAYS: tuple[How, ...] = ("stream", "astream")


def _request(subject: Subject, server: FaultServer) -> Request:
    assert subject.answers is not None
    request = subject.request(server.session([paused(subject.answers.to("stream"), _PAUSE)]).base_url, stream=True)
    return attrs.evolve(request, profile=attrs.evolve(request.profile, timeouts=_TIMEOUTS))
