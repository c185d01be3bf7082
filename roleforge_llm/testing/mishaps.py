"""What can go wrong with a server of any protocol, made from its good answers; and what must come of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import attrs

from roleforge_llm.errors import (
    AuthenticationFailed,
    BackendError,
    BadReply,
    ConnectFailed,
    ContextTooLong,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServerError,
    StreamBroken,
    Timeout,
)
from roleforge_llm.testing.answers import DONE, FOREVER, JSON, MIB, completion, piece
from roleforge_llm.testing.calls import Answers, How
from roleforge_llm.testing.faultserver import Entry
from roleforge_llm.testing.wire import Action, Answer, Cut, Pause, Received, Reply, Stream, chunked, head

__all__ = [
    "ENDLESS",
    "PACKED",
    "Endless",
    "Mishap",
    "breaks",
    "cut",
    "echoes",
    "hangs",
    "mishaps",
    "openai_answers",
    "openai_mishaps",
    "packed",
    "paused",
    "redirects",
    "renamed",
]


@attrs.frozen
class Mishap:
    """Something that goes wrong: its *name* in words, how the server plays it, and how it was called.

    *errors* are the classes that fit; None among them means that a reply is fine, too. *retryable* is whether a retry
    can help, None where either may be thought. A *key* one is also tried with asyncio, where a backend has its own way
    of that.
    """

    name: str
    entry: Entry
    how: How
    errors: tuple[type[BackendError] | None, ...]
    retryable: bool | None
    key: bool = False

    def __str__(self) -> str:
        return f"{self.how}, {self.name}"


_STATUSES: dict[str, tuple[type[BackendError], bool]] = {
    "400": (InvalidRequest, False),
    "401": (AuthenticationFailed, False),
    "403": (AuthenticationFailed, False),
    "404": (NotFound, False),
    "408": (ServerError, True),
    "413": (InvalidRequest, False),
    "422": (InvalidRequest, False),
    "429_ra_1s": (RateLimited, True),
    "500": (ServerError, True),
    "502": (ServerError, True),
    "503": (ServerError, True),
}
_KEY = ("401", "503")
_ANY = (None, BackendError)
_BEGUN = (BadReply, ConnectFailed, StreamBroken)


def mishaps(answers: Answers) -> Iterator[Mishap]:
    """What servers of any protocol do, none of which takes long."""
    ways: tuple[How, ...] = ("complete", "stream")
    for how in ways:
        good = answers.to(how)
        for status, (error, retryable) in _STATUSES.items():
            yield Mishap(f"the server answers {status[:3]}", status, how, (error,), retryable, key=status in _KEY)
        yield Mishap("nobody listens", "refuse", how, (ConnectFailed,), True)
        yield Mishap(
            "the connection is reset before the answer", "reset_before_headers", how, (ConnectFailed,), True, key=True
        )
        yield Mishap("the connection is closed without a byte", "close_before_headers", how, (ConnectFailed,), True)
        yield Mishap("the connection is reset within the answer", cut(good, Cut.RESET), how, _BEGUN, True)
        yield Mishap("the connection is closed within the answer", cut(good, Cut.CLOSE), how, _BEGUN, True, key=True)
        yield Mishap("the answer is not HTTP", "not_http", how, (ConnectFailed, BadReply), False)
        yield Mishap("the answer is a page for people", "html_200", how, (BadReply, StreamBroken), None)
        yield Mishap("an error is a page for people", "html_502", how, (ServerError,), True)
        yield Mishap("the answer has a very long header", _long_header(good), how, _ANY, None)
        yield Mishap("the text is not UTF-8", renamed(good, answers.text, b"\xff"), how, _ANY, None)


def redirects() -> Iterator[Mishap]:
    """Answers that point to another origin, which must not get the key."""
    for entry in ("redirect_other", "redirect_port"):
        yield Mishap("the server redirects to another origin", entry, "complete", (BadReply,), False)


def hangs(answers: Answers) -> Iterator[Mishap]:
    """What takes longer than anybody will wait."""
    ways: tuple[How, ...] = ("complete", "stream")
    for how in ways:
        good = answers.to(how)
        yield Mishap("the server says nothing", "read_timeout", how, (Timeout,), True, key=True)
        yield Mishap("the answer stops half-way", cut(good, FOREVER), how, (Timeout,), True)
        yield Mishap("the answer comes byte by byte", dripped(good), how, (Timeout,), True)


def breaks(answers: Answers) -> Iterator[Mishap]:
    """Streams that break after some of the text."""
    good = answers.to("stream")
    for name, ending in (("reset", Cut.RESET), ("closed", Cut.CLOSE)):
        yield Mishap(f"the connection is {name} within the stream", cut(good, ending), "stream", (StreamBroken,), True)


_OPENAI: dict[tuple[type[BackendError] | None, bool | None], tuple[str, str]] = {
    (None, None): (
        "no_ct_json text_ct_json",
        "sse_ok sse_bom sse_comments sse_crlf sse_nospace sse_empty_choices sse_null_delta sse_multibyte_split",
    ),
    (AuthenticationFailed, False): ("401_echo_key", ""),
    (BadReply, False): (
        "choices_empty choices_missing choices_null json_array json_null json_deep message_missing wrong_types",
        "",
    ),
    (BadReply, True): ("empty_200 truncated_json", "sse_nothing sse_done_first"),
    (ConnectFailed, False): ("bad_chunk", ""),
    (ContextTooLong, False): ("400_ctx 400_ctx_llamacpp", ""),
    (RateLimited, False): ("429_quota", ""),
    (RateLimited, True): ("429_ra_date 429_ra_garbage 429_ra_nan 429_ra_neg", ""),
    (ServerError, True): ("error_in_200 500_empty 500_badutf8 500_big", "sse_error_first"),
    (StreamBroken, True): ("", "sse_no_finish sse_error_mid sse_bad_json sse_close_mid_nolen"),
}


def openai_mishaps() -> Iterator[Mishap]:
    """What servers that speak OpenAI's protocol do besides; some of it is a good reply, oddly written."""
    for (error, retryable), (whole, streamed) in _OPENAI.items():
        for name in whole.split():
            yield Mishap(f"the server plays {name}", name, "complete", (error,), retryable)
        for name in streamed.split():
            yield Mishap(f"the server plays {name}", name, "stream", (error,), retryable)


def openai_answers(text: str = "hello world") -> Answers:
    """What servers that speak OpenAI's protocol answer: *text*, streamed where the request asks for it."""
    words = [word for at, part in enumerate(text.split(" ")) for word in ([" "] if at else []) + [part]]
    events = [piece(""), *map(piece, words), piece(finish_reason="stop"), DONE]

    def answer(request: Received) -> Iterator[Action]:
        streams = bool(request.json.get("stream"))
        yield from Stream(events)(request) if streams else Reply(json=completion(text))(request)

    return Answers(answer, answer, text)


def echoes() -> Iterator[Mishap]:
    """Answers that show all that was sent, the key among it."""
    for status in (200, 400, 401, 500):
        yield Mishap(f"the server answers {status} with all it was sent", _echo(status), "complete", _ANY, None)


# ---------------------------------------------------------------------- answers made of good ones


def together(answer: Answer, request: Received) -> bytes:
    """All bytes of *answer*."""
    return b"".join(action for action in answer(request) if isinstance(action, bytes))


def cut(answer: Answer, ending: Action) -> Answer:
    """The first half of *answer*: of the writes it is made of, or of the only one's body. Then *ending*."""

    def play(request: Received) -> Iterator[Action]:
        writes = [action for action in answer(request) if isinstance(action, bytes)]
        if len(writes) > 3:
            yield b"".join(writes[: len(writes) // 2 + 1])
        else:
            whole = b"".join(writes)
            body = whole.index(b"\r\n\r\n") + 4
            yield whole[: body + (len(whole) - body) // 2]
        yield Pause(0.05)
        yield ending

    return play


def paused(answer: Answer, seconds: float) -> Answer:
    """*answer* with a pause after its first half; as it is where it comes at once."""

    def play(request: Received) -> Iterator[Action]:
        actions = list(answer(request))
        half = len(actions) // 2 + 1
        yield from actions[:half]
        if len(actions) > 3:
            yield Pause(seconds)
        yield from actions[half:]

    return play


def dripped(answer: Answer) -> Answer:
    """*answer* with its body in single bytes, a tenth of a second between them, and after its half very long ones."""

    def play(request: Received) -> Iterator[Action]:
        whole = together(answer, request)
        body = whole.index(b"\r\n\r\n") + 4
        yield whole[:body]
        for at in range(body, len(whole)):
            yield whole[at : at + 1]
            yield Pause(0.1 if at < (body + len(whole)) // 2 else 60)

    return play


def renamed(answer: Answer, text: str, by: bytes) -> Answer:
    """*answer* with another text of the same length: *by* again and again; as it is where its text is in pieces."""

    def play(request: Received) -> Iterator[Action]:
        old = text.encode()
        new = (by * len(old))[: len(old)]
        for action in answer(request):
            yield action.replace(old, new) if isinstance(action, bytes) and old else action

    return play


def _long_header(answer: Answer) -> Answer:
    def play(request: Received) -> Iterator[Action]:
        first, rest = together(answer, request).split(b"\r\n", 1)
        yield first + b"\r\nx-long: " + b"a" * MIB + b"\r\n" + rest

    return play


ENDLESS = 192 * MIB
"""Bytes after which an endless body ends: a client that reads them all has no bound."""


class Endless:
    """A body without end; *sent* is how much of it was taken."""

    def __init__(self) -> None:
        self.sent = 0

    def __call__(self, request: Received) -> Iterator[Action]:
        """The actions of this answer."""
        yield head(200, {**JSON, "transfer-encoding": "chunked"}) + chunked(b'{"text": "')
        while self.sent < ENDLESS:
            yield chunked(b"a" * MIB)
            self.sent += MIB
        yield chunked(b'"}') + b"0\r\n\r\n"


PACKED = 48 * MIB
"""Bytes of a text that comes packed."""


def packed(answers: Answers) -> Answer:
    """The good whole answer with a text of :data:`PACKED` bytes, in few bytes on the wire."""

    def play(request: Received) -> Iterator[Action]:
        body = together(answers.whole, request).partition(b"\r\n\r\n")[2]
        start, _, end = body.partition(answers.text.encode())
        pack = zlib.compressobj(1, wbits=31)
        small = b"".join([pack.compress(start), *(pack.compress(b"a" * MIB) for _ in range(PACKED // MIB))])
        small += pack.compress(end) + pack.flush()
        yield head(200, {**JSON, "content-encoding": "gzip", "content-length": str(len(small))}) + small

    return play


def _echo(status: int) -> Answer:
    def play(request: Received) -> Iterator[Action]:
        shown = f"{request.path} {dict(request.headers)} {request.body.decode(errors='replace')}"
        yield from Reply(status, {"error": {"message": shown, "code": shown}}, headers={"x-echo": repr(shown)})(request)

    return play
