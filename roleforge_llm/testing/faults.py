"""The faults that a server can play, by name."""

from __future__ import annotations

import json
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from functools import cache

from roleforge_llm.testing.wire import Answer, Cut, Pause, Received, Reply, Step, Stream, chunked, event, head

__all__ = ["FAULTS", "completion", "piece"]

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


def _delta(delta: object) -> dict[str, object]:
    return piece(choices=[{"index": 0, "delta": delta, "finish_reason": None}])


def _ok(request: Received) -> Iterator[Step]:
    streams = bool(request.json.get("stream"))
    return Stream([*WORDS, DONE])(request) if streams else Reply(json=completion())(request)


def _steps(*steps: Step) -> Answer:
    return lambda _: steps


def _begun(size: int, *then: Step) -> Answer:
    body = json.dumps(completion()).encode()
    return _steps(head(200, {**JSON, "content-length": str(len(body))}) + body[:size], Pause(0.02), *then)


def _slow_headers(request: Received) -> Iterator[Step]:  # noqa: ARG001 - the same for every request
    for byte in b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + b"x-pad: a\r\n" * 2000:
        yield bytes([byte])
        yield Pause(0.1)


def _slow_body(request: Received) -> Iterator[Step]:  # noqa: ARG001 - the same for every request
    body = json.dumps(completion("x" * 4000)).encode()
    yield head(200, {**JSON, "content-length": str(len(body))})
    for byte in body:
        yield bytes([byte])
        yield Pause(0.1)


def _huge_body(request: Received) -> Iterator[Step]:  # noqa: ARG001 - the same for every request
    start, end = json.dumps(completion("|")).encode().split(b"|", 1)
    yield head(200, {**JSON, "transfer-encoding": "chunked"}) + chunked(start)
    for _ in range(1024):
        yield chunked(b"a" * MIB)
    yield chunked(end) + b"0\r\n\r\n"


@cache
def _bomb() -> bytes:
    # 512 MiB in half a megabyte. One packed block, repeated: packing them all would take seconds.
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


def _packed(encoding: str, wbits: int) -> Answer:
    body = zlib.compress(json.dumps(completion()).encode(), wbits=wbits)
    return Reply(body=body, headers={"content-encoding": encoding})


def _gzip_bomb(request: Received) -> Iterator[Step]:
    return Reply(body=_bomb(), headers={"content-encoding": "gzip"})(request)


def _huge_line(request: Received) -> Iterator[Step]:  # noqa: ARG001 - the same for every request
    yield head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}) + chunked(b"data: ")
    for _ in range(512):
        yield chunked(b"a" * MIB)
    yield b"0\r\n\r\n"


def _deep(request: Received) -> Iterator[Step]:
    return Reply(body=b"[" * 100_000 + b"]" * 100_000)(request)


def _big_error(request: Received) -> Iterator[Step]:
    return Reply(500, body=b"A" * 5_000_000)(request)


def _untyped(request: Received) -> Iterator[Step]:  # noqa: ARG001 - the same for every request
    body = json.dumps(completion()).encode()
    yield head(200, {"content-length": str(len(body))}) + body


def _echo_key(request: Received) -> Iterator[Step]:
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    return Reply(401, {"error": {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}})(request)


def _bytewise(request: Received) -> Iterator[Step]:  # noqa: ARG001 - the same for every request
    parts = [json.dumps(piece(text), ensure_ascii=False).encode() for text in ("café ", "日本語 ", "😀")]
    body = b"".join(b"data: " + part + b"\n\n" for part in parts) + event(piece(finish_reason="stop")) + DONE
    yield head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    yield b"".join(chunked(body[at : at + 1]) for at in range(len(body))) + b"0\r\n\r\n"


def _until_closed(request: Received) -> Iterator[Step]:  # noqa: ARG001 - the same for every request
    yield head(200, {"content-type": "text/event-stream", "connection": "close"})
    yield b"".join(event(item) for item in BEGUN)
    yield Cut.CLOSE


def _comments(request: Received) -> Iterator[Step]:
    yield from Stream(BEGUN, then=(Pause(0),))(request)
    for _ in range(36000):
        yield chunked(b": still here\n\n")
        yield Pause(0.05)


def _redirect(status: int, location: str) -> Answer:
    return Reply(status, headers={"location": location})


def _whole(text: object = "hello world", finish_reason: str = "stop", **fields: object) -> Answer:
    return Reply(json=completion(text, finish_reason, **fields))


def _events(*items: object, **kwargs: Mapping[str, str]) -> Answer:
    return Stream(items, headers=kwargs.get("headers", {}))


def _error(status: int, headers: Mapping[str, str] | None = None, **fields: object) -> Answer:
    error = {"message": f"this is a status {status}", "type": "test", "code": None, **fields}
    return Reply(status, {"error": error}, headers=headers or {})


def _late_date(request: Received) -> Iterator[Step]:
    return iter(_error(429, {"retry-after": formatdate(time.time() + 2, usegmt=True)})(request))


def _without_choices() -> dict[str, object]:
    return {key: value for key, value in completion().items() if key != "choices"}


def _raw(old: bytes, new: bytes, text: str = "AAAA") -> Answer:
    return Reply(body=json.dumps(completion(text)).encode().replace(old, new))


_CONNECTIONS: dict[str, Answer] = {
    "read_timeout": _steps(FOREVER),
    "slow_headers": _slow_headers,
    "slow_body": _slow_body,
    "reset_before_headers": _steps(Cut.RESET),
    "close_before_headers": _steps(Cut.CLOSE),
    "reset_mid_headers": _steps(b"HTTP/1.1 200 OK\r\ncontent-ty", Pause(0.02), Cut.RESET),
    "close_mid_headers": _steps(b"HTTP/1.1 200 OK\r\ncontent-ty", Pause(0.02), Cut.CLOSE),
    "reset_mid_body": _begun(40, Cut.RESET),
    "short_body": _begun(40, Cut.CLOSE),
    "stall_mid_body": _begun(40, FOREVER),
    "bad_chunk": _steps(head(200, {**JSON, "transfer-encoding": "chunked"}) + b"ZZZ\r\nhello\r\n", FOREVER),
    "header_flood": Reply(json=completion(), headers={f"x-{number}": "a" * 1000 for number in range(400)}),
    "not_http": _steps(b"SSH-2.0-OpenSSH_9.6\r\n", Cut.CLOSE),
    "stale_keepalive": lambda request: [*Reply(json=completion())(request), Pause(0.02), Cut.RESET],
}

_BODIES: dict[str, Answer] = {
    "ok": _ok,
    "truncated_json": Reply(body=json.dumps(completion()).encode()[:60]),
    "html_200": Reply(body=b"<html><body>please log in</body></html>", headers={"content-type": "text/html"}),
    "html_404": Reply(404, body=b"<html><body>Not Found</body></html>", headers={"content-type": "text/html"}),
    "html_502": Reply(502, body=b"<html><body>Bad Gateway</body></html>" * 20, headers={"content-type": "text/html"}),
    "empty_200": Reply(),
    "text_ct_json": Reply(json=completion(), headers={"content-type": "text/plain"}),
    "no_ct_json": _untyped,
    "error_in_200": Reply(json={"error": {"message": "too busy", "type": "server_error", "code": 503}}),
    "error_str_200": Reply(json={"error": "the model is loading"}),
    "auth_error_in_200": Reply(json={"error": {"message": "no such key", "code": 401}}),
    "choices_empty": _whole(choices=[]),
    "choices_missing": Reply(json=_without_choices()),
    "choices_null": _whole(choices=None),
    "null_content": _whole(text=None),
    "null_content_length": _whole(text=None, finish_reason="length"),
    "content_list": _whole(text=[{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]),
    "message_missing": _whole(choices=[{"index": 0, "finish_reason": "stop"}]),
    "wrong_types": _whole(choices={"0": "x"}),
    "json_array": Reply(body=b"[1,2,3]"),
    "json_null": Reply(body=b"null"),
    "json_deep": _deep,
    "json_nan": _raw(b'"index": 0', b'"index": NaN', "hello world"),
    "bad_utf8": _raw(b"AAAA", b"\xff\xfe\x80ok"),
    "lone_surrogate": _raw(b"AAAA", b"a\\ud83d"),
    "huge_body": _huge_body,
    "gzip_bomb": _gzip_bomb,
    "bogus_gzip": Reply(json=completion(), headers={"content-encoding": "gzip"}),
    "gzip": _packed("gzip", 31),
    "deflate": _packed("deflate", 15),
    "deflate_bare": _packed("deflate", -15),
    "redirect_loop": lambda request: _redirect(307, request.path)(request),
    "redirect_302": _redirect(302, "/elsewhere/v1/chat/completions"),
    "redirect_file": _redirect(302, "file:///etc/passwd"),
}

_STATUSES: dict[str, Answer] = {
    **{
        str(status): _error(status)
        for status in (400, 401, 403, 404, 408, 409, 413, 418, 422, 425, 429, 451, 500, 502, 503, 504, 529)
    },
    "400_ctx": _error(400, code="context_length_exceeded"),
    "400_ctx_llamacpp": _error(400, code=400, type="exceed_context_size_error"),
    "400_shouldretry": _error(400, {"x-should-retry": "true"}),
    "401_echo_key": _echo_key,
    "429_quota": _error(429, type="insufficient_quota", code="insufficient_quota"),
    "429_ra_1s": _error(429, {"retry-after": "1"}),
    "429_ra_date": _late_date,
    "429_ra_past": _error(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "429_ra_ms": _error(429, {"retry-after-ms": "300"}),
    "429_ra_huge": _error(429, {"retry-after": "86400"}),
    "429_ra_neg": _error(429, {"retry-after": "-5"}),
    "429_ra_garbage": _error(429, {"retry-after": "soon"}),
    "429_ra_nan": _error(429, {"retry-after": "nan"}),
    "429_ra_inf": _error(429, {"retry-after": "inf"}),
    "429_ra_float": _error(429, {"retry-after": "0.5"}),
    "429_ra_zero": _error(429, {"retry-after": "0"}),
    "503_ra_1s": _error(503, {"retry-after": "1"}),
    "503_loading": _error(503, type="unavailable_error", code=503),
    "500_noretry": _error(500, {"x-should-retry": "false"}),
    "500_empty": Reply(500),
    "500_badutf8": Reply(500, body=b"\xff\xfe\xfd"),
    "500_big": _big_error,
    "500_slow_body": _steps(head(500, {**JSON, "content-length": "400"}) + b'{"error": ', FOREVER),
}

_STREAMS: dict[str, Answer] = {
    "sse_ok": _events(*WORDS, DONE),
    "sse_no_done": _events(*WORDS),
    "sse_no_finish": _events(*WORDS[:5]),
    "sse_no_finish_done": _events(*WORDS[:5], DONE),
    "sse_reset_first": Stream([], then=(Pause(0.02), Cut.RESET)),
    "sse_reset_mid": Stream(BEGUN, then=(Pause(0.02), Cut.RESET)),
    "sse_close_mid": Stream(BEGUN, then=(Pause(0.02), Cut.CLOSE)),
    "sse_close_mid_nolen": _until_closed,
    "sse_stall": Stream(BEGUN, then=(FOREVER,)),
    "sse_stall_first": Stream([piece("")], then=(FOREVER,)),
    "sse_stall_after_finish": Stream(WORDS, then=(FOREVER,)),
    "sse_keepalive_forever": _comments,
    "sse_error_first": _events(ERROR),
    "sse_error_mid": _events(*BEGUN, ERROR),
    "sse_error_mid_str": _events(*BEGUN, {"error": "broken"}),
    "sse_error_named": _events(*BEGUN, b'event: error\ndata: {"message": "too busy"}\n\n'),
    "sse_error_llamacpp": _events(*BEGUN, b'error: {"code": 500, "message": "no slot", "type": "server_error"}\n\n'),
    "sse_error_then_done": _events(*BEGUN, ERROR, DONE),
    "sse_comments": _events(b": ka\n\n", WORDS[0], b": ka\n\n", *WORDS[1:], b":\n\n", DONE),
    "sse_crlf": _events(*(event(word).replace(b"\n", b"\r\n") for word in WORDS), DONE.replace(b"\n", b"\r\n")),
    "sse_cr": _events(*(event(word).replace(b"\n", b"\r") for word in WORDS), DONE.replace(b"\n", b"\r")),
    "sse_nospace": _events(*(event(word).replace(b"data: ", b"data:") for word in WORDS), b"data:[DONE]\n\n"),
    "sse_bom": _events(b"\xef\xbb\xbf" + event(WORDS[0]), *WORDS[1:], DONE),
    "sse_id_retry": _events(*(b"id: 1\nretry: 99999999\n" + event(word) for word in WORDS), DONE),
    "sse_multiline_data": _events(*(event(word).replace(b', "object"', b',\ndata: "object"') for word in WORDS), DONE),
    "sse_multibyte_split": _bytewise,
    "sse_surrogate_split": _events(
        event(piece("a|")).replace(b"|", b"\\ud83d"), event(piece("|b", "stop")).replace(b"|", b"\\ude00"), DONE
    ),
    "sse_stop_split": _events(
        *map(piece, ("hello <|im", "_e", "nd|>\n<|im_sta", "rt|>user\nmore")), piece(finish_reason="stop"), DONE
    ),
    "sse_empty_choices": _events(
        WORDS[0], piece(choices=[]), *WORDS[1:], piece(choices=[], usage={"total_tokens": 5}), DONE
    ),
    "sse_null_delta": _events(_delta(None), *WORDS, DONE),
    "sse_null_content": _events(_delta({"content": None}), *WORDS, DONE),
    "sse_no_choices_key": _events({"id": "x"}, *WORDS, DONE),
    "sse_bad_json": _events(*BEGUN, b'data: {"id": "r1", "choi\n\n', *WORDS[3:], DONE),
    "sse_bad_utf8": _events(*WORDS[:2], event(piece("|")).replace(b"|", b"\xff\xfe"), *WORDS[2:], DONE),
    "sse_empty_data": _events(*WORDS[:2], b"data:\n\n", b"data: \n\n", *WORDS[2:], DONE),
    "sse_done_first": _events(DONE),
    "sse_nothing": _events(),
    "sse_done_then_more": _events(*WORDS, DONE, piece(" more"), DONE),
    "sse_dup_finish": _events(*WORDS, piece(finish_reason="stop"), DONE),
    "sse_finish_length": _events(*WORDS[:5], piece(finish_reason="length"), DONE),
    "sse_content_filter": _events(*BEGUN, piece("three "), piece(finish_reason="content_filter"), DONE),
    "sse_html200": Reply(body=b"<html>please log in</html>", headers={"content-type": "text/html"}),
    "sse_json200": _whole(text="one two three four"),
    "sse_wrong_ct": _events(*WORDS, DONE, headers={"content-type": "text/plain"}),
    "sse_infinite": Stream(event(piece("word " * 100)) * 100 for _ in range(10_000)),
    "sse_huge_line": _huge_line,
    "sse_slow": Stream([*WORDS, DONE], delay=0.1),
    "sse_no_end_after_done": Stream([*WORDS, DONE], then=(FOREVER,)),
}

FAULTS: Mapping[str, Answer] = {**_CONNECTIONS, **_BODIES, **_STATUSES, **_STREAMS}
"""Every fault by its name. ``redirect_other`` and ``redirect_port`` need a second origin and stand with the server."""
