"""The faults that a server can play, by name."""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps

from roleforge_llm.testing.answers import (
    BEGUN,
    DONE,
    ERROR,
    FOREVER,
    JSON,
    WORDS,
    actions,
    begun,
    big_error,
    bytewise,
    comments,
    completion,
    deep,
    delta,
    echo_key,
    error,
    events,
    gzip_bomb,
    huge_body,
    huge_line,
    infinite,
    late_date,
    ok,
    packed,
    piece,
    raw,
    redirect,
    slow_body,
    slow_headers,
    until_closed,
    untyped,
    whole,
    without_choices,
)
from roleforge_llm.testing.wire import Answer, Cut, Pause, Reply, Stream, event, head

__all__ = ["FAULTS"]

_CONNECTIONS: dict[str, Answer] = {
    "read_timeout": actions(FOREVER),
    "slow_headers": slow_headers,
    "slow_body": slow_body,
    "reset_before_headers": actions(Cut.RESET),
    "close_before_headers": actions(Cut.CLOSE),
    "reset_mid_headers": actions(b"HTTP/1.1 200 OK\r\ncontent-ty", Pause(0.02), Cut.RESET),
    "close_mid_headers": actions(b"HTTP/1.1 200 OK\r\ncontent-ty", Pause(0.02), Cut.CLOSE),
    "reset_mid_body": begun(40, Cut.RESET),
    "short_body": begun(40, Cut.CLOSE),
    "stall_mid_body": begun(40, FOREVER),
    "bad_chunk": actions(head(200, {**JSON, "transfer-encoding": "chunked"}) + b"ZZZ\r\nhello\r\n", FOREVER),
    "header_flood": Reply(json=completion(), headers={f"x-{number}": "a" * 1000 for number in range(400)}),
    "not_http": actions(b"SSH-2.0-OpenSSH_9.6\r\n", Cut.CLOSE),
    "stale_keepalive": lambda request: [*Reply(json=completion())(request), Pause(0.02), Cut.RESET],
}


_BODIES: dict[str, Answer] = {
    "ok": ok,
    "truncated_json": Reply(body=dumps(completion()).encode()[:60]),
    "html_200": Reply(body=b"<html><body>please log in</body></html>", headers={"content-type": "text/html"}),
    "html_404": Reply(404, body=b"<html><body>Not Found</body></html>", headers={"content-type": "text/html"}),
    "html_502": Reply(502, body=b"<html><body>Bad Gateway</body></html>" * 20, headers={"content-type": "text/html"}),
    "empty_200": Reply(),
    "text_ct_json": Reply(json=completion(), headers={"content-type": "text/plain"}),
    "no_ct_json": untyped,
    "error_in_200": Reply(json={"error": {"message": "too busy", "type": "server_error", "code": 503}}),
    "error_str_200": Reply(json={"error": "the model is loading"}),
    "auth_error_in_200": Reply(json={"error": {"message": "no such key", "code": 401}}),
    "choices_empty": whole(choices=[]),
    "choices_missing": Reply(json=without_choices()),
    "choices_null": whole(choices=None),
    "null_content": whole(text=None),
    "null_content_length": whole(text=None, finish_reason="length"),
    "content_list": whole(text=[{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]),
    "message_missing": whole(choices=[{"index": 0, "finish_reason": "stop"}]),
    "wrong_types": whole(choices={"0": "x"}),
    "json_array": Reply(body=b"[1,2,3]"),
    "json_null": Reply(body=b"null"),
    "json_deep": deep,
    "json_nan": raw(b'"index": 0', b'"index": NaN', "hello world"),
    "bad_utf8": raw(b"AAAA", b"\xff\xfe\x80ok"),
    "lone_surrogate": raw(b"AAAA", b"a\\ud83d"),
    "huge_body": huge_body,
    "gzip_bomb": gzip_bomb,
    "bogus_gzip": Reply(json=completion(), headers={"content-encoding": "gzip"}),
    "gzip": packed("gzip", 31),
    "deflate": packed("deflate", 15),
    "deflate_bare": packed("deflate", -15),
    "redirect_loop": lambda request: redirect(307, request.path)(request),
    "redirect_302": redirect(302, "/elsewhere/v1/chat/completions"),
    "redirect_file": redirect(302, "file:///etc/passwd"),
}


_STATUSES: dict[str, Answer] = {
    **{
        str(status): error(status)
        for status in (400, 401, 403, 404, 408, 409, 413, 418, 422, 425, 429, 451, 500, 502, 503, 504, 529)
    },
    "400_ctx": error(400, code="context_length_exceeded"),
    "400_ctx_llamacpp": error(400, code=400, type="exceed_context_size_error"),
    "400_shouldretry": error(400, {"x-should-retry": "true"}),
    "401_echo_key": echo_key,
    "429_quota": error(429, type="insufficient_quota", code="insufficient_quota"),
    "429_ra_1s": error(429, {"retry-after": "1"}),
    "429_ra_date": late_date,
    "429_ra_past": error(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "429_ra_ms": error(429, {"retry-after-ms": "300"}),
    "429_ra_huge": error(429, {"retry-after": "86400"}),
    "429_ra_neg": error(429, {"retry-after": "-5"}),
    "429_ra_garbage": error(429, {"retry-after": "soon"}),
    "429_ra_nan": error(429, {"retry-after": "nan"}),
    "429_ra_inf": error(429, {"retry-after": "inf"}),
    "429_ra_float": error(429, {"retry-after": "0.5"}),
    "429_ra_zero": error(429, {"retry-after": "0"}),
    "503_ra_1s": error(503, {"retry-after": "1"}),
    "503_loading": error(503, type="unavailable_error", code=503),
    "500_noretry": error(500, {"x-should-retry": "false"}),
    "500_empty": Reply(500),
    "500_badutf8": Reply(500, body=b"\xff\xfe\xfd"),
    "500_big": big_error,
    "500_slow_body": actions(head(500, {**JSON, "content-length": "400"}) + b'{"error": ', FOREVER),
}


_STREAMS: dict[str, Answer] = {
    "sse_ok": events(*WORDS, DONE),
    "sse_no_done": events(*WORDS),
    "sse_no_finish": events(*WORDS[:5]),
    "sse_no_finish_done": events(*WORDS[:5], DONE),
    "sse_reset_first": Stream([], then=(Pause(0.02), Cut.RESET)),
    "sse_reset_mid": Stream(BEGUN, then=(Pause(0.02), Cut.RESET)),
    "sse_close_mid": Stream(BEGUN, then=(Pause(0.02), Cut.CLOSE)),
    "sse_close_mid_nolen": until_closed,
    "sse_stall": Stream(BEGUN, then=(FOREVER,)),
    "sse_stall_first": Stream([piece("")], then=(FOREVER,)),
    "sse_stall_after_finish": Stream(WORDS, then=(FOREVER,)),
    "sse_keepalive_forever": comments,
    "sse_error_first": events(ERROR),
    "sse_error_mid": events(*BEGUN, ERROR),
    "sse_error_mid_str": events(*BEGUN, {"error": "broken"}),
    "sse_error_named": events(*BEGUN, b'event: error\ndata: {"message": "too busy"}\n\n'),
    "sse_error_llamacpp": events(*BEGUN, b'error: {"code": 500, "message": "no slot", "type": "server_error"}\n\n'),
    "sse_error_then_done": events(*BEGUN, ERROR, DONE),
    "sse_comments": events(b": ka\n\n", WORDS[0], b": ka\n\n", *WORDS[1:], b":\n\n", DONE),
    "sse_crlf": events(*(event(word).replace(b"\n", b"\r\n") for word in WORDS), DONE.replace(b"\n", b"\r\n")),
    "sse_cr": events(*(event(word).replace(b"\n", b"\r") for word in WORDS), DONE.replace(b"\n", b"\r")),
    "sse_nospace": events(*(event(word).replace(b"data: ", b"data:") for word in WORDS), b"data:[DONE]\n\n"),
    "sse_bom": events(b"\xef\xbb\xbf" + event(WORDS[0]), *WORDS[1:], DONE),
    "sse_id_retry": events(*(b"id: 1\nretry: 99999999\n" + event(word) for word in WORDS), DONE),
    "sse_multiline_data": events(*(event(word).replace(b', "object"', b',\ndata: "object"') for word in WORDS), DONE),
    "sse_multibyte_split": bytewise,
    "sse_surrogate_split": events(
        event(piece("a|")).replace(b"|", b"\\ud83d"), event(piece("|b", "stop")).replace(b"|", b"\\ude00"), DONE
    ),
    "sse_stop_split": events(
        *map(piece, ("hello <|im", "_e", "nd|>\n<|im_sta", "rt|>user\nmore")), piece(finish_reason="stop"), DONE
    ),
    "sse_empty_choices": events(
        WORDS[0], piece(choices=[]), *WORDS[1:], piece(choices=[], usage={"total_tokens": 5}), DONE
    ),
    "sse_null_delta": events(delta(None), *WORDS, DONE),
    "sse_null_content": events(delta({"content": None}), *WORDS, DONE),
    "sse_no_choices_key": events({"id": "x"}, *WORDS, DONE),
    "sse_bad_json": events(*BEGUN, b'data: {"id": "r1", "choi\n\n', *WORDS[3:], DONE),
    "sse_bad_utf8": events(*WORDS[:2], event(piece("|")).replace(b"|", b"\xff\xfe"), *WORDS[2:], DONE),
    "sse_empty_data": events(*WORDS[:2], b"data:\n\n", b"data: \n\n", *WORDS[2:], DONE),
    "sse_done_first": events(DONE),
    "sse_nothing": events(),
    "sse_done_then_more": events(*WORDS, DONE, piece(" more"), DONE),
    "sse_dup_finish": events(*WORDS, piece(finish_reason="stop"), DONE),
    "sse_finish_length": events(*WORDS[:5], piece(finish_reason="length"), DONE),
    "sse_content_filter": events(*BEGUN, piece("three "), piece(finish_reason="content_filter"), DONE),
    "sse_html200": Reply(body=b"<html>please log in</html>", headers={"content-type": "text/html"}),
    "sse_json200": whole(text="one two three four"),
    "sse_wrong_ct": events(*WORDS, DONE, headers={"content-type": "text/plain"}),
    "sse_infinite": infinite,
    "sse_huge_line": huge_line,
    "sse_slow": Stream([*WORDS, DONE], delay=0.1),
    "sse_no_end_after_done": Stream([*WORDS, DONE], then=(FOREVER,)),
}


FAULTS: Mapping[str, Answer] = {**_CONNECTIONS, **_BODIES, **_STATUSES, **_STREAMS}
"""Every fault by its name. ``redirect_other`` and ``redirect_port`` need a second origin and stand with the server."""
