"""Which error of ours a failure is: by type, status and codes, never by the words of a message."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import urljoin

import anyio
import h11
import httpcore2
import httpx2

from roleforge_llm.errors import (
    AuthenticationFailed,
    BackendError,
    BadReply,
    ConnectFailed,
    ContextTooLong,
    InvalidRequest,
    NotFound,
    RateLimited,
    RoleforgeError,
    ServerError,
    StreamBroken,
)
from roleforge_llm.transport.bounds import MAX_SHOWN
from roleforge_llm.transport.calls import Call, origin_of
from roleforge_llm.transport.documents import read_json
from roleforge_llm.transport.masking import one_line
from roleforge_llm.transport.retry_after import retry_after, should_retry

__all__ = ["error_of", "exception_failure", "object_failure", "status_failure"]

_CLASSES: Mapping[int, type[BackendError]] = {
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    404: NotFound,
    429: RateLimited,
}
_RETRIED_STATUSES = {408, 409, 425}
_QUOTA = {"insufficient_quota"}
_CONTEXT = {"context_length_exceeded", "exceed_context_size_error"}
_LOADING = {"unavailable_error"}
_HINTS: Mapping[type[BackendError], str] = {
    AuthenticationFailed: "check apiKey or apiKeyEnv of the profile",
    NotFound: "check baseURL and model of the profile",
    ContextTooLong: "shorten the conversation or set maxContextTokens",
}

_RESETS = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLError)


def exception_failure(exc: Exception, call: Call) -> BackendError:
    """The error for *exc*, which came out of a library below during *call*; one of ours stays as it is."""
    if isinstance(exc, BackendError):
        return exc
    for classes, failure in _FAILURES:
        if isinstance(exc, classes):
            return failure(exc, call)
    name = f"{type(exc).__module__}.{type(exc).__qualname__}"
    return BackendError(f"an unexpected {name} while talking to {call.origin}", kind="unexpected")


def _timeout_failure(_: Exception, call: Call) -> BackendError:
    if call.phase == "securing":
        # Opened at once, then silence: a server without TLS waits for the rest of what it takes for a request.
        return ConnectFailed(f'no TLS answer from {call.origin}; does the server speak "http://"?', kind="tls")
    return call.clock.timeout()


def _unsendable_failure(_: Exception, call: Call) -> BackendError:
    return InvalidRequest(
        f"the request to {call.origin} cannot be sent; check baseURL, apiKey and headers", kind="unsendable"
    )


def _proxy_failure(_: Exception, call: Call) -> BackendError:
    return ConnectFailed(f"the proxy refused to connect to {call.origin}; check the proxy settings", kind="refused")


def _protocol_failure(_: Exception, call: Call) -> BackendError:
    if call.phase == "reading":
        if call.ended:
            return StreamBroken(f"{call.origin} closed the connection in the middle of its reply", kind="closed")
        return ConnectFailed(f"the reply of {call.origin} breaks the rules of HTTP", kind="protocol")
    if call.ended and call.speaks_http:
        return ConnectFailed(f"{call.origin} closed the connection without a reply", kind="reset")
    return ConnectFailed(f"what answers at {call.origin} does not speak HTTP; check baseURL", kind="protocol")


def _network_failure(exc: Exception, call: Call) -> BackendError:
    if call.phase == "reading":
        return StreamBroken(f"the connection to {call.origin} broke in the middle of the reply", kind="reset")
    causes = list(_causes(exc))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return ConnectFailed(f"the host of {call.origin} cannot be found; check baseURL", kind="dns")
    if any(_is_tls(cause) for cause in causes):
        return ConnectFailed(f"no trusted TLS connection to {call.origin}{_tls_reason(causes)}", kind="tls")
    if call.phase not in {"connecting", "securing"} or any(isinstance(cause, _RESETS) for cause in causes):
        return ConnectFailed(f"{call.origin} broke the connection before it replied", kind="reset")
    return ConnectFailed(f"connection refused by {call.origin}; is the server running there?", kind="refused")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [exc]
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions


def _is_tls(cause: BaseException) -> bool:
    # An end of the connection during TLS says nothing about trust: it is a reset like any other.
    return isinstance(cause, ssl.SSLError) and not isinstance(cause, (ssl.SSLEOFError, ssl.SSLZeroReturnError))


def _tls_reason(causes: list[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f": {one_line(getattr(cause, 'verify_message', 'the certificate is refused'))}"
        if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
            return f": {one_line(reason.replace('_', ' ').lower())}"
    return ""


_Failure: TypeAlias = Callable[[Exception, Call], BackendError]

_FAILURES: tuple[tuple[tuple[type[Exception], ...], _Failure], ...] = (
    ((httpcore2.TimeoutException, httpx2.TimeoutException, TimeoutError), _timeout_failure),
    (
        (
            httpcore2.LocalProtocolError,
            httpcore2.UnsupportedProtocol,
            httpx2.LocalProtocolError,
            httpx2.UnsupportedProtocol,
            httpx2.InvalidURL,
        ),
        _unsendable_failure,
    ),
    ((httpcore2.ProxyError, httpx2.ProxyError), _proxy_failure),
    ((httpcore2.ProtocolError, httpx2.ProtocolError, h11.ProtocolError), _protocol_failure),
    (
        (
            httpcore2.NetworkError,
            httpcore2.ConnectionNotAvailable,
            httpx2.HTTPError,
            httpx2.StreamError,
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
            anyio.EndOfStream,
            OSError,
            EOFError,
        ),
        _network_failure,
    ),
)
"""The first that fits decides: the order is from the narrower class to the wider."""


def status_failure(status: int, headers: Mapping[str, str], body: bytes, call: Call) -> BackendError:
    """The error for a reply with *status*, which is not a success, and the beginning of its *body*."""
    if 300 <= status < 400:
        error: BackendError = _redirect(status, headers, call)
    elif status < 300:
        error = BadReply(f"{call.origin} answered with the status {status}", kind="unreadable", status=status)
    else:
        error = object_failure(_error_in(body), call, status)
    error.request_id = call.request_id
    error.retry_after = retry_after(headers)
    error.should_retry = should_retry(headers)
    return error


def _redirect(status: int, headers: Mapping[str, str], call: Call) -> BadReply:
    try:
        target = origin_of(urljoin(call.url, headers.get("location", "")))
    except ValueError:
        target = "an unreadable address"
    where = one_line(call.mask(target), 100)
    message = f"{call.origin} redirects to {where}, which is not followed; write the final address into baseURL"
    return BadReply(message, kind="redirect", status=status)


def _error_in(body: bytes) -> object:
    try:
        document = read_json(body)
    except RoleforgeError:
        return body.decode("utf-8", "replace")
    return document if (error := error_of(document)) is None else error


def error_of(document: object) -> object | None:
    """The error object of a reply of any status: under ``error``, or the whole where ``object`` is "error".

    Google's servers put it into a list.
    """
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, (dict, Mapping)):  # nearly always a dict, which is told faster
        return None
    if document.get("object") == "error":
        return document
    return document.get("error") or None


def object_failure(error: object, call: Call, status: int | None = None) -> BackendError:
    """The error for the error object (or text) *error*.

    *status* is the reply's own; without one (the reply was a success) the object's code counts as the status
    if it is one, and a server's error has the kind error-body.
    """
    inside = _status_in(error)
    error_class, kind = _class_for(status or inside or 500, _words(error), "status" if status else "error-body")
    shown = status or inside
    message = f"{call.origin} {'answered' if status else 'reported an error'}{f' {shown}' if shown else ''}"
    if text := _text_of(error):
        message += f": {one_line(call.mask(text))}"
    if hint := _HINTS.get(error_class):
        message += f" ({hint})"
    return error_class(message[:MAX_SHOWN], kind=kind, status=shown or 200, request_id=call.request_id)


def _class_for(status: int, words: set[str], kind: str) -> tuple[type[BackendError], str]:
    if words & _CONTEXT:
        return ContextTooLong, "status"
    if words & _QUOTA:
        return RateLimited, "quota"
    if status in _CLASSES:
        return _CLASSES[status], "status"
    if status >= 500 or status in _RETRIED_STATUSES:
        return ServerError, "loading" if status == 503 and words & _LOADING else kind
    return InvalidRequest, "status"


def _status_in(error: object) -> int | None:
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _words(error: object) -> set[str]:
    if not isinstance(error, Mapping):
        return set()
    return {word for field in ("code", "type") if isinstance(word := error.get(field), str)}


def _text_of(error: object) -> str:
    if isinstance(error, str):
        return "a web page" if error.lstrip().startswith("<") else error
    if isinstance(error, Mapping):
        for field in ("message", "detail", "error", "msg"):
            if isinstance(text := error.get(field), str) and text:
                return text
    return str(error or "")
