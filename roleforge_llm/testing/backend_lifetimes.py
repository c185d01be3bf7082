"""What a backend must let go of: streams that are left early, and asynchronous calls that are cancelled."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from roleforge_llm.backends import Backend, Request
from roleforge_llm.testing.backend_pauses import comes_in_pieces
from roleforge_llm.testing.calls import MARGIN, How, Job, Subject, running
from roleforge_llm.testing.conformance import Broken, Rule
from roleforge_llm.testing.faultserver import FaultServer
from roleforge_llm.testing.mishaps import cut
from roleforge_llm.testing.wire import Pause

__all__ = ["LEAVING", "broken_when_callers_leave"]

_LEFT = Rule(
    "early-end",
    "a stream that is left early closes its connection",
    "write stream as a generator, and close the connection in a finally or with block around its yields",
)
_CANCELLED = Rule(
    "cancel",
    "an asynchronous call that is cancelled ends at once and leaves nothing open",
    "let CancelledError pass, and close the connection in a finally or async with block",
)
LEAVING = (_LEFT.name, _CANCELLED.name)
"""The names of these rules."""

_FOREVER = Pause(3600)
_SOON = 1.0
_DEADLINE = 2.0


def broken_when_callers_leave(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    """The rules that *subject*, whose protocol is known, breaks when its callers go away."""
    if comes_in_pieces(subject, server):
        yield from _left(subject)
    yield from _cancelled(subject)


def _left(subject: Subject) -> Iterator[Broken]:
    assert subject.answers is not None
    # A server of its own, so that all its connections are those of this call.
    with FaultServer([cut(subject.answers.to("stream"), _FOREVER)]) as server, running(subject) as made:
        request = subject.request(server.base_url, stream=True, deadline=time.monotonic() + _DEADLINE)
        came = _within(partial(_read_one_and_close, made.backend, request), _DEADLINE + MARGIN)
        if came is None and not _eventually(lambda: server.open_connections == 0, _SOON):
            came = "the connection is still open"
    if came is not None:
        yield _LEFT.broken("stream, closed after its first text", came)


def _read_one_and_close(backend: Backend, request: Request) -> str | None:
    chunks = iter(backend.stream(request))
    for chunk in chunks:
        if chunk.text:
            break
    close = getattr(chunks, "close", None)
    if close is None:
        return f"an iterator of type {type(chunks).__name__}, which has no close"
    close()
    return None


def _cancelled(subject: Subject) -> Iterator[Broken]:
    with running(subject) as made:
        ways = [how for how in _ASYNC if made.writes(how)] or _ASYNC[:1]
    for how in ways:
        # The server ends here, and with it whatever still waits for it.
        with FaultServer("read_timeout") as server:
            came = _within(partial(_cancelled_call, subject, server, how), _DEADLINE + 3 * MARGIN)
        if came is not None:
            yield _CANCELLED.broken(f"{how}, cancelled while the server says nothing", came)
            return


_ASYNC: tuple[How, ...] = ("acomplete", "astream")


def _cancelled_call(subject: Subject, server: FaultServer, how: How) -> str | None:
    return asyncio.run(_cancel(subject, server, how))


async def _cancel(subject: Subject, server: FaultServer, how: How) -> str | None:
    made = subject.make()
    request = subject.request(server.base_url, stream=how == "astream", deadline=time.monotonic() + _DEADLINE)
    # The async calls that a backend inherits run in a thread, which only the deadline ends.
    own = made.writes(how)
    task = asyncio.create_task(_drained(Job(made, how, request)))
    await asyncio.to_thread(_eventually, lambda: server.count > 0 or task.done(), _DEADLINE)
    began = time.monotonic()
    task.cancel()
    await asyncio.wait([task])
    seconds = time.monotonic() - began
    patience = _SOON if own else _DEADLINE + MARGIN
    closed = await asyncio.to_thread(_eventually, lambda: server.open_connections == 0, patience)
    await made.aclose()
    if own and not task.cancelled():
        return f"it ended with {task.exception()!r:.100}, not with CancelledError"
    if own and seconds > _SOON:
        return f"it went on for {seconds:.1f} s"
    return None if closed else "the connection is still open"


async def _drained(job: Job) -> None:
    if job.how == "acomplete":
        await job.made.backend.acomplete(job.request)
        return
    async for _ in job.made.backend.astream(job.request):
        pass


def _eventually(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether *holds* becomes true in so many *seconds*: a server needs a moment to see what its client did."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


def _within(work: Callable[[], str | None], seconds: float) -> str | None:
    """What *work* gives, done in a thread that is left behind if it takes longer."""
    came: list[str | None] = []

    def play() -> None:
        try:
            came.append(work())
        except BaseException as error:  # noqa: BLE001  # whatever a backend does wrong
            came.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    thread.join(seconds)
    return came[0] if came else "it did not come back"
