"""What every backend must keep to while its servers answer well: replies, streams, asyncio, threads, closing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import get_args

from roleforge_llm.backends import Backend, Chunk, Completion
from roleforge_llm.errors import RoleforgeError
from roleforge_llm.messages import Message
from roleforge_llm.profiles import Endpoint
from roleforge_llm.testing.calls import HEADER, KEY, How, Job, Outcome, Subject, outcomes, running
from roleforge_llm.testing.conformance import Broken, Rule
from roleforge_llm.testing.faultserver import FaultServer, Session
from roleforge_llm.testing.mishaps import openai_answers, renamed
from roleforge_llm.testing.wire import Answer

__all__ = ["GOOD", "LONGEST", "WHOLE", "broken_when_all_is_well"]

LONGEST = 60.0
"""Seconds that a good call may take: a model may have to be loaded."""

_WHOLE = Rule(
    "whole",
    "complete gives a Completion with the text that the server sent",
    "return roleforge_llm.Completion(text, finish_reason); stop sequences and the like are the host's business",
)
_STREAM = Rule(
    "stream",
    "the pieces of stream are Chunks, and together the text and the finish reason of the whole reply",
    "yield roleforge_llm.Chunk(text) for each piece as it comes, each text once, and the finish reason with the last",
)
_ASYNC = Rule(
    "async",
    "acomplete and astream give what complete and stream give",
    "make both ways use the same code for what is sent and how it is read, or leave the async ones out",
)
_ENDPOINTS = Rule(
    "endpoints",
    "each endpoint that the capabilities name takes requests",
    "name only those that complete understands: BackendSpec(..., capabilities=Capabilities(endpoints={'chat'}))",
)
_THREADS = Rule(
    "threads",
    "calls at the same time, in threads, each get their own reply",
    "keep what one call needs in local variables, not on the backend",
)
_CLOSE = Rule(
    "close",
    "close can be called again and again, and the backend be used afterwards",
    "open connections when they are needed, and forget them in close",
)
_CAPABILITIES = Rule(
    "capabilities",
    "what the capabilities promise to know is known",
    "write count_tokens or context_window, or leave counts_tokens or knows_context_window out of the capabilities",
)
_WIRE_BODY = Rule(
    "wire-body",
    "wire_body is empty, or what would be sent, and holds no secret",
    "build the body in wire_body and send just that; keys belong into headers",
)
_CLIENT = Rule(
    "client",
    "a client can use the backend by its name",
    "offer a BackendSpec by the hook roleforge_backends; its factory makes a subclass of roleforge_llm.Backend",
)
WHOLE = _WHOLE.name
"""The rule on which the others rely."""
GOOD = tuple(
    rule.name for rule in (_WHOLE, _STREAM, _ASYNC, _ENDPOINTS, _THREADS, _CLOSE, _CAPABILITIES, _WIRE_BODY, _CLIENT)
)
"""The names of these rules."""


def broken_when_all_is_well(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    """The rules that *subject* breaks while servers answer as they should."""
    whole = _one(subject, server, "complete")
    if (came := _fault_of_whole(subject, whole)) is not None:
        yield _WHOLE.broken(f"complete, endpoint {subject.endpoint}", came)
        return
    unlike_whole = list(_streams(subject, server, whole))
    yield from unlike_whole
    yield from _endpoints(subject, server)
    yield from _threads(subject, server, whole, _SYNC[:1] if unlike_whole else _SYNC)
    yield from _closing(subject, server, whole)
    yield from _knowledge(subject)
    yield from _wire_body(subject, server)
    yield from _in_a_client(subject, server, whole)


def _one(subject: Subject, server: FaultServer, how: How, **changes: object) -> Outcome:
    request = subject.request(_url(subject, server, how), stream="stream" in how, **changes)
    with running(subject) as made:
        (outcome,) = outcomes([Job(made, how, request)], LONGEST)
    return outcome


def _url(subject: Subject, server: FaultServer, how: How) -> str | None:
    session = _session(subject, server, how)
    return None if session is None else session.base_url


def _session(subject: Subject, server: FaultServer, how: How) -> Session | None:
    return None if subject.answers is None else server.session([subject.answers.to(how)])


def _fault_of_whole(subject: Subject, whole: Outcome) -> str | None:
    if whole.error is not None or whole.seconds is None:
        return str(whole)
    (reply,) = whole.pieces
    if not isinstance(reply, Completion) or not isinstance(reply.text, str):
        return f"{reply!r:.200}"
    if reply.finish_reason is not None and (not isinstance(reply.finish_reason, str) or not reply.finish_reason):
        return f"the finish reason {reply.finish_reason!r}, which is neither a word nor None"
    if subject.answers is not None and reply.text != subject.answers.text:
        return f"the text {reply.text!r:.100}, where the server sent {subject.answers.text!r:.100}"
    return None


def _fault_of_pieces(found: Outcome, whole: Outcome) -> str | None:
    if found.error is not None or found.seconds is None:
        return str(found)
    if wrong := [piece for piece in found.pieces if not isinstance(piece, Chunk) or not isinstance(piece.text, str)]:
        return f"{wrong[0]!r:.200}"
    if found.text != whole.text:
        return (
            f"the pieces {[piece.text for piece in found.pieces]!r:.150}, where the whole reply is {whole.text!r:.100}"
        )
    if found.finish_reason != whole.finish_reason:
        return f"the finish reason {found.finish_reason!r}, where the whole reply has {whole.finish_reason!r}"
    return None


def _streams(subject: Subject, server: FaultServer, whole: Outcome) -> Iterator[Broken]:
    if (came := _fault_of_pieces(_one(subject, server, "stream"), whole)) is not None:
        yield _STREAM.broken("stream", came)
    else:
        came = _fault_of_pieces(_one(subject, server, "astream"), whole)
        if came is not None:
            yield _ASYNC.broken("astream", came)
    again = _one(subject, server, "acomplete")
    if again.error is not None or again.text != whole.text:
        yield _ASYNC.broken("acomplete", f"{again}, where complete gives {whole.text!r:.100}")


def _endpoints(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    named = subject.spec.capabilities_for(subject.profile).endpoints
    if not named or named - {*get_args(Endpoint)}:
        yield _ENDPOINTS.broken("", f"the capabilities name {', '.join(sorted(named)) or 'none'}")
    for endpoint in sorted(named & {*get_args(Endpoint)}):
        found = _one(subject, server, "complete", endpoint=endpoint)
        if found.error is not None or not found.pieces:
            yield _ENDPOINTS.broken(f"complete, endpoint {endpoint}", str(found))


def _threads(subject: Subject, server: FaultServer, whole: Outcome, ways: Sequence[How]) -> Iterator[Broken]:
    calls, expected = [], []
    for number in range(8):
        for how in ways:
            answer, texts = _own_answer(subject, how, chr(ord("a") + number), whole)
            url = None if answer is None else server.session([answer]).base_url
            calls.append((how, subject.request(url, stream=how == "stream")))
            expected.append(texts)
    with running(subject) as made:
        found = outcomes([Job(made, *call) for call in calls], LONGEST)
    for outcome, texts in zip(found, expected, strict=True):
        if outcome.error is not None or outcome.text not in texts:
            yield _THREADS.broken(f"{len(calls)} calls at once", f"{outcome}, where {next(iter(texts))!r} was right")
            return


_SYNC: tuple[How, ...] = ("complete", "stream")


def _own_answer(subject: Subject, how: How, letter: str, whole: Outcome) -> tuple[Answer | None, Collection[str]]:
    """An answer whose text no other call is given, and what may be read of it."""
    answers = subject.answers
    if answers is None:
        return None, [whole.text]
    if subject.openai:
        return openai_answers(letter).to(how), [letter]
    # A text that is in pieces on the wire stays as it is.
    return renamed(answers.to(how), answers.text, letter.encode()), [letter * len(answers.text.encode()), answers.text]


def _closing(subject: Subject, server: FaultServer, whole: Outcome) -> Iterator[Broken]:
    request = subject.request(_url(subject, server, "complete"))
    with running(subject) as made:
        try:
            made.backend.close()
            made.backend.close()
        except Exception as error:  # noqa: BLE001  # whatever a backend does wrong
            yield _CLOSE.broken("close, twice", f"{type(error).__name__}: {error}")
            return
        (found,) = outcomes([Job(made, "complete", request)], LONGEST)
    if found.error is not None or found.text != whole.text:
        yield _CLOSE.broken("complete after close", str(found))


def _knowledge(subject: Subject) -> Iterator[Broken]:
    """Asked only where the kit does not play the servers, whose answers to this it cannot know."""
    if subject.answers is not None:
        return
    known = subject.spec.capabilities_for(subject.profile)
    with running(subject) as made:
        if known.counts_tokens and (came := _fault_of_counting(subject, made.backend)) is not None:
            yield _CAPABILITIES.broken("counts_tokens, count_tokens", came)
        if known.knows_context_window and not _is_count(window := made.backend.context_window(subject.profile)):
            yield _CAPABILITIES.broken("knows_context_window, context_window", f"{window!r:.100}")


def _fault_of_counting(subject: Subject, backend: Backend) -> str | None:
    counts = [backend.count_tokens(subject.request(messages=(Message("user", "Hi " * length),))) for length in (1, 40)]
    return None if all(map(_is_count, counts)) and counts[0] < counts[1] else f"{counts} for a short and a longer text"


def _is_count(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found > 0


def _wire_body(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    session = _session(subject, server, "complete")
    request = subject.request(None if session is None else session.base_url)
    with running(subject) as made:
        try:
            body = made.backend.wire_body(request)
        except Exception as error:  # noqa: BLE001  # whatever a backend does wrong
            yield _WIRE_BODY.broken("wire_body", f"{type(error).__name__}: {error}")
            return
        outcomes([Job(made, "complete", request)], LONGEST)
    if any(secret in repr(body) for secret in (KEY, HEADER)):
        yield _WIRE_BODY.broken("wire_body of a request with a secret key", "the key is in it")
    if body and session is not None and dict(body) not in [dict(received.json) for received in session.requests]:
        yield _WIRE_BODY.broken("wire_body, then complete", f"{body!r:.150}, but sent was {_last(session)!r:.150}")


def _last(session: Session) -> object:
    return session.requests[-1].json if session.requests else None


def _in_a_client(subject: Subject, server: FaultServer, whole: Outcome) -> Iterator[Broken]:
    request = subject.request(_url(subject, server, "complete"))
    try:
        with subject.client(request.profile) as client:
            text = client.complete([{"role": "user", "content": "Hi"}], temperature=0, seed=1, max_tokens=64).text
    except RoleforgeError as error:
        yield _CLIENT.broken("Client.complete", f"{type(error).__name__}: {error}")
        return
    if subject.answers is not None and text != whole.text:
        yield _CLIENT.broken("Client.complete", f"the text {text!r:.100}, where the server sent {whole.text!r:.100}")
