"""What the faults are made of: replies, events, and answers beyond a :class:`Reply` or a :class:`Stream`."""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from functools import cache

from roleforge_llm.testing.wire import Action, Answer, Cut, Pause, Received, Reply, Stream, chunked, event, head

__all__ = [
    "DONE",
    "FOREVER",
    "JSON",
    "MIB",
    "actions",
    "begun",
    "big_error",
    "bomb",
    "bytewise",
    "comments",
    "completion",
    "deep",
    "delta",
    "echo_key",
    "error",
    "events",
    "gzip_bomb",
    "huge_body",
    "huge_line",
    "infinite",
    "late_date",
    "ok",
    "packed",
    "piece",
    "raw",
    "redirect",
    "slow_body",
    "slow_headers",
    "until_closed",
    "untyped",
    "whole",
    "without_choices",
]

MIB = 1024 * 1024
FOREVER = Pause(3600)
DONE = b"data: [DONE]\n\n"
JSON = {"content-type": "application/json"}


def completion(text: object = "hello world", finish_reason: str | None = "stop", **fields: object) -> dict[str, object]:
    """A whole reply that both endpoints' clients understand."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "text": text, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "r1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage, **fields}


def piece(text: str | None = None, finish_reason: str | None = None, **fields: object) -> dict[str, object]:
    """One event of a streamed reply that both endpoints' clients understand."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "text": text or "", "finish_reason": finish_reason}
    return {"id": "r1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **fields}


WORDS = [piece(""), piece("one "), piece("two "), piece("three "), piece("four"), piece(finish_reason="stop")]
BEGUN = WORDS[:3]
ERROR = {"error": {"message": "the engine stopped", "type": "server_error", "code": 500}}


def delta(value: object) -> dict[str, object]:
    """An event whose delta is *value*, whatever that is."""
    return piece(choices=[{"index": 0, "delta": value, "finish_reason": None}])


def ok(request: Received) -> Iterator[Action]:
    """A good reply, streamed where the request asks for it."""
    streams = bool(request.json.get("stream"))
    return Stream([*WORDS, DONE])(request) if streams else Reply(json=completion())(request)


def actions(*listed: Action) -> Answer:
    """An answer of these very actions."""
    return lambda _: listed


def begun(size: int, *then: Action) -> Answer:
    """The first *size* bytes of a good reply, and what comes *then*."""
    body = json.dumps(completion()).encode()
    return actions(head(200, {**JSON, "content-length": str(len(body))}) + body[:size], Pause(0.02), *then)


def slow_headers(request: Received) -> Iterator[Action]:  # noqa: ARG001 - the same for every request
    """Headers without end, a byte every tenth of a second."""
    for byte in b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + b"x-pad: a\r\n" * 2000:
        yield bytes([byte])
        yield Pause(0.1)


def slow_body(request: Received) -> Iterator[Action]:  # noqa: ARG001 - the same for every request
    """A body of some minutes, a byte every tenth of a second."""
    body = json.dumps(completion("x" * 4000)).encode()
    yield head(200, {**JSON, "content-length": str(len(body))})
    for byte in body:
        yield bytes([byte])
        yield Pause(0.1)


def huge_body(request: Received) -> Iterator[Action]:  # noqa: ARG001 - the same for every request
    """A reply of one gibibyte."""
    start, end = json.dumps(completion("|")).encode().split(b"|", 1)
    yield head(200, {**JSON, "transfer-encoding": "chunked"}) + chunked(start)
    for _ in range(1024):
        yield chunked(b"a" * MIB)
    yield chunked(end) + b"0\r\n\r\n"


@cache
def bomb() -> bytes:
    """A reply of 512 MiB, compressed."""
    # One packed block, repeated: packing them all would take seconds.
    start, end = json.dumps(completion("|")).replace("|", "", 1).encode().split(b'""', 1)
    start, end, block = start + b'"', b'"' + end.replace(b"|", b""), b"a" * MIB
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    packed = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    last = deflate.compress(end) + deflate.flush()
    check = zlib.crc32(start)
    for _ in range(512):
        check = zlib.crc32(block, check)
    trailer = struct.pack("<II", zlib.crc32(end, check), len(start) + 512 * MIB + len(end))
    return b"\x1f\x8b\x08" + bytes(7) + first + packed * 512 + last + trailer


def packed(encoding: str, wbits: int) -> Answer:
    """A good reply, compressed."""
    body = zlib.compress(json.dumps(completion()).encode(), wbits=wbits)
    return Reply(body=body, headers={"content-encoding": encoding})


def gzip_bomb(request: Received) -> Iterator[Action]:
    """A reply of 512 MiB in half a megabyte."""
    return Reply(body=bomb(), headers={"content-encoding": "gzip"})(request)


def huge_line(request: Received) -> Iterator[Action]:  # noqa: ARG001 - the same for every request
    """One event of 512 MiB."""
    yield head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}) + chunked(b"data: ")
    for _ in range(512):
        yield chunked(b"a" * MIB)
    yield b"0\r\n\r\n"


def infinite(request: Received) -> Iterator[Action]:
    """A streamed reply that does not end before hundreds of megabytes."""
    many = event(piece("word " * 100)) * 100
    return Stream(many for _ in range(10_000))(request)


def deep(request: Received) -> Iterator[Action]:
    """JSON that is nested beyond any parser."""
    return Reply(body=b"[" * 100_000 + b"]" * 100_000)(request)


def big_error(request: Received) -> Iterator[Action]:
    """An error with five megabytes of text."""
    return Reply(500, body=b"A" * 5_000_000)(request)


def untyped(request: Received) -> Iterator[Action]:  # noqa: ARG001 - the same for every request
    """A good reply without a content type."""
    body = json.dumps(completion()).encode()
    yield head(200, {"content-length": str(len(body))}) + body


def echo_key(request: Received) -> Iterator[Action]:
    """A refusal that shows the key."""
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return Reply(401, {"error": {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}})(request)


def bytewise(request: Received) -> Iterator[Action]:  # noqa: ARG001 - the same for every request
    """A streamed reply in chunks of one byte."""
    parts = [json.dumps(piece(text), ensure_ascii=False).encode() for text in ("café ", "日本語 ", "😀")]
    body = b"".join(b"data: " + part + b"\n\n" for part in parts) + event(piece(finish_reason="stop")) + DONE
    yield head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    yield b"".join(chunked(body[at : at + 1]) for at in range(len(body))) + b"0\r\n\r\n"


def until_closed(request: Received) -> Iterator[Action]:  # noqa: ARG001 - the same for every request
    """The beginning of a streamed reply, without any length."""
    yield head(200, {"content-type": "text/event-stream", "connection": "close"})
    yield b"".join(event(item) for item in BEGUN)
    yield Cut.CLOSE


def comments(request: Received) -> Iterator[Action]:
    """The beginning of a streamed reply, then comments for half an hour."""
    yield from Stream(BEGUN, then=(Pause(0),))(request)
    for _ in range(36000):
        yield chunked(b": still here\n\n")
        yield Pause(0.05)


def redirect(status: int, location: str) -> Answer:
    """A redirect."""
    return Reply(status, headers={"location": location})


def whole(text: object = "hello world", finish_reason: str = "stop", **fields: object) -> Answer:
    """A whole reply; *fields* replace its own."""
    return Reply(json=completion(text, finish_reason, **fields))


def events(*items: object, **kwargs: Mapping[str, str]) -> Answer:
    """A streamed reply of *items*: JSON values, or bytes as they are."""
    return Stream(items, headers=kwargs.get("headers", {}))


def error(status: int, headers: Mapping[str, str] | None = None, **fields: object) -> Answer:
    """An error of *status*; *fields* replace those of its error object."""
    fields = {"message": f"this is a status {status}", "type": "test", "code": None, **fields}
    return Reply(status, {"error": fields}, headers=headers or {})


def late_date(request: Received) -> Iterator[Action]:
    """Too many requests; come back at a time two seconds from now."""
    return iter(error(429, {"retry-after": formatdate(time.time() + 2, usegmt=True)})(request))


def without_choices() -> dict[str, object]:
    """A whole reply that lacks its choices."""
    return {key: value for key, value in completion().items() if key != "choices"}


def raw(old: bytes, new: bytes, text: str = "AAAA") -> Answer:
    """A good reply with *text*, in whose JSON *old* is replaced by *new*."""
    return Reply(body=json.dumps(completion(text)).encode().replace(old, new))
