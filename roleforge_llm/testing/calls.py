"""Calling a backend under test so that it can do nothing worse than fail: in threads of its own, for so long."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import attrs

from roleforge_llm.backends import Backend, BackendSpec, Chunk, Completion, Request
from roleforge_llm.client import Client
from roleforge_llm.client.core import Core
from roleforge_llm.config import Config
from roleforge_llm.host import PluginHost
from roleforge_llm.messages import Message
from roleforge_llm.profiles import Endpoint, Profile, Sampler, Secret, Timeouts
from roleforge_llm.testing.hosts import offering, plugin_host
from roleforge_llm.testing.wire import Answer

__all__ = [
    "HEADER",
    "KEY",
    "MARGIN",
    "Answers",
    "How",
    "Job",
    "Made",
    "Outcome",
    "Subject",
    "outcomes",
    "running",
    "settings_of",
    "text_of",
]

KEY = "sk-canary-0123456789"
HEADER = "header-canary-0123456789"
"""A key and a header that must never be seen."""

MARGIN = 2.0
"""Seconds that a call may take beyond its deadline, on a busy machine."""

How: TypeAlias = Literal["complete", "stream", "acomplete", "astream"]


@attrs.frozen
class Answers:
    """What good servers of a protocol answer to a request: the *text* as a *whole* reply, and as a *stream*.

    Each is a :class:`Reply`, a :class:`Stream`, or a function from the request to actions on the wire, for servers
    that are asked more than one thing. Without a *stream* the whole reply is the answer to both.
    """

    whole: Answer
    stream: Answer | None = None
    text: str = "hello world"

    def to(self, how: How) -> Answer:
        """The answer to a call of that kind."""
        return self.stream if "stream" in how and self.stream is not None else self.whole


@attrs.frozen
class Made:
    """A *backend* and *all* that was made for it: it may be built on others."""

    backend: Backend
    all: Sequence[Backend]

    @classmethod
    def of(cls, spec: BackendSpec, profile: Profile) -> Made:
        """Another one of *spec*. Raises :class:`PluginError`."""
        core = Core(*settings_of(spec, profile))
        return cls(core.backend(spec.name), core.made_backends())

    def writes(self, how: How) -> bool:
        """Whether the backend has its own way of making such calls, or inherits it."""
        return getattr(type(self.backend), how, None) is not getattr(Backend, how)

    def close(self) -> None:
        """Close all of it; whether that is done as it should be is a rule of its own."""
        for backend in self.all:
            with contextlib.suppress(Exception):
                backend.close()

    async def aclose(self) -> None:
        """:meth:`close` for asyncio."""
        for backend in self.all:
            with contextlib.suppress(Exception):
                await backend.aclose()


@attrs.frozen
class Subject:
    """A backend under test: its *spec*, *make* for another one of it, the *profile* and the *endpoint* it is asked at.

    *answers* are those of its servers, None where the kit has no part in what it talks to; *openai* says that they
    are OpenAI's.
    """

    spec: BackendSpec
    make: Callable[[], Made]
    profile: Profile
    endpoint: Endpoint
    answers: Answers | None = None
    openai: bool = False

    def client(self, profile: Profile) -> Client:
        """A client that knows the backend, and *profile* with it."""
        return Client(*settings_of(self.spec, attrs.evolve(profile, endpoint=self.endpoint)))

    def request(self, url: str | None = None, **changes: object) -> Request:
        """A request with a secret key, to *url* where the kit's servers answer."""
        given = self.profile
        if url is not None:
            secrets = {**given.headers, "x-canary": Secret(HEADER)}
            given = attrs.evolve(given, base_url=url, api_key=KEY, headers=secrets, timeouts=Timeouts(connect=5))
        fields: dict[str, object] = {
            "endpoint": self.endpoint,
            "sampler": Sampler(temperature=0, seed=1, max_tokens=64),
        }
        fields |= {"messages": (Message("user", "Hi"),), **changes}
        if fields["endpoint"] == "completions":
            said = "".join(f"{message.role}: {message.text}\n" for message in fields["messages"])  # type: ignore[attr-defined]  # messages
            fields["prompt"] = f"{said}assistant:"
        return Request(given, **fields)  # type: ignore[arg-type]  # as above


@contextlib.contextmanager
def running(subject: Subject) -> Iterator[Made]:
    """Another backend, closed in the end."""
    made = subject.make()
    try:
        yield made
    finally:
        made.close()


def settings_of(spec: BackendSpec, profile: Profile) -> tuple[Config, PluginHost]:
    """What a client needs to use *profile* with *spec*; of other plugins only the built-in ones are there."""
    host = plugin_host(offering(spec), builtin=True, overridden=(spec.name,))
    given = attrs.evolve(profile, backend=spec.name, fallback_profiles=(), failure_policy="backoff-then-fallback")
    return Config({given.name: given}, default_profile=given.name), host


@attrs.frozen
class Job:
    """One call: *how* it is made, and what is sent."""

    made: Made
    how: How
    request: Request


@attrs.define
class Outcome:
    """What came of a call: the *pieces* in order, the *error*, the *seconds* it took; None while it goes on."""

    pieces: list[Completion | Chunk] = attrs.field(factory=list)
    error: BaseException | None = None
    seconds: float | None = None

    @property
    def text(self) -> str:
        """The text of all pieces together."""
        return "".join(map(text_of, self.pieces))

    @property
    def finish_reason(self) -> str | None:
        """The last reason that a piece gave."""
        reasons = [getattr(piece, "finish_reason", None) for piece in self.pieces]
        return next((reason for reason in reversed(reasons) if reason is not None), None)

    def __str__(self) -> str:
        if self.seconds is None:
            return "it did not come back"
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"[:300]
        return f"the text {self.text[:100]!r}"


def text_of(piece: object) -> str:
    """The text of *piece*; "" where it has none."""
    text = getattr(piece, "text", "")
    return text if isinstance(text, str) else ""


def outcomes(jobs: Sequence[Job], seconds: float, at_once: int = 64) -> list[Outcome]:
    """What comes of *jobs*, *at_once* of them side by side, each given so many *seconds*.

    One that does not come back is left behind in its thread.
    """
    found = [Outcome() for _ in jobs]
    for start in range(0, len(jobs), at_once):
        batch = list(zip(jobs[start : start + at_once], found[start : start + at_once], strict=True))
        threads = [threading.Thread(target=_play, args=each, daemon=True) for each in batch]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    return [attrs.evolve(outcome, pieces=list(outcome.pieces)) for outcome in found]


def _play(job: Job, outcome: Outcome) -> None:
    began = time.monotonic()
    try:
        for piece in _pieces(job):
            outcome.pieces.append(piece)
    except BaseException as error:  # noqa: BLE001  # whatever a backend does wrong
        outcome.error = error
    outcome.seconds = time.monotonic() - began


def _pieces(job: Job) -> Iterable[Completion | Chunk]:
    if job.how == "complete":
        return [job.made.backend.complete(job.request)]
    if job.how == "stream":
        return job.made.backend.stream(job.request)
    return _gathered(job)


def _gathered(job: Job) -> Iterable[Completion | Chunk]:
    """The pieces of an asynchronous call, which has an event loop of its own."""
    pieces: list[Completion | Chunk] = []
    errors: list[Exception] = []

    async def call() -> None:
        try:
            if job.how == "acomplete":
                pieces.append(await job.made.backend.acomplete(job.request))
            else:
                pieces.extend([piece async for piece in job.made.backend.astream(job.request)])
        except Exception as error:  # noqa: BLE001  # raised again, after the pieces
            errors.append(error)
        finally:
            await job.made.aclose()

    asyncio.run(call())
    yield from pieces
    if errors:
        raise errors[0]
