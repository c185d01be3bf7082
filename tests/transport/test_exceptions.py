"""Every exception of the libraries below becomes one of ours, below the root, by its class alone."""

from __future__ import annotations

import inspect
import socket
import ssl

import anyio
import h11
import httpcore2
import httpx2
import openai
import pytest

from roleforge_llm import BackendError, ConnectFailed, StreamBroken, Timeout, Timeouts
from roleforge_llm.transport import Call, exception_failure
from roleforge_llm_builtin.openai_compatible.sdk import sdk_failure

SECRET = "sk-secret-canary"


def exceptions_of(module) -> list[type[Exception]]:
    return sorted(
        {
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Exception) and not issubclass(value, Warning)
        },
        key=lambda found: found.__name__,
    )


def below(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(found for child in root.__subclasses__() for found in below(child))]


TRANSPORT = [
    *exceptions_of(httpcore2),
    *exceptions_of(httpx2),
    *exceptions_of(h11),
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    *(found for found in below(OSError) if found.__module__ in {"builtins", "ssl", "socket"}),
    EOFError,
]
NOT_OF_A_REQUEST = {"CookieConflict"}


def made(kind: type[Exception]) -> Exception:
    """An exception of *kind* without running its constructor, each of which asks for something else."""
    error = kind.__new__(kind)
    error.args = (f"something with {SECRET} in it",)
    return error


def call(phase="connecting") -> Call:
    call = Call("http://127.0.0.1:9/v1", Timeouts(), secrets=[SECRET])
    call.phase = phase
    return call


@pytest.mark.parametrize("phase", ["connecting", "securing", "sending", "waiting", "reading"])
@pytest.mark.parametrize(
    "kind",
    [kind for kind in TRANSPORT if kind.__name__ not in NOT_OF_A_REQUEST],
    ids=lambda kind: f"{kind.__module__}.{kind.__qualname__}",
)
def test_every_exception_of_the_transport_has_a_class_below_ours(kind, phase):
    error = exception_failure(made(kind), call(phase))
    assert isinstance(error, BackendError)
    assert type(error) is not BackendError
    assert error.kind != "unexpected"
    assert SECRET not in str(error)


@pytest.mark.parametrize("kind", below(openai.OpenAIError), ids=lambda kind: kind.__qualname__)
def test_every_exception_of_the_sdk_has_a_class_below_ours(kind):
    error = made(kind)
    if isinstance(error, openai.APIStatusError):
        error.status_code = 503
        error.response = httpx2.Response(503, request=httpx2.Request("POST", "http://127.0.0.1:9/v1"))
    failure = sdk_failure(error, call())
    assert isinstance(failure, BackendError)
    assert type(failure) is not BackendError
    assert SECRET not in str(failure)


def test_what_nobody_expects_is_still_an_error_of_ours():
    error = exception_failure(ZeroDivisionError(SECRET), call())
    assert type(error) is BackendError
    assert (error.kind, SECRET in str(error)) == ("unexpected", False)


def test_our_own_errors_stay_as_they_are():
    error = Timeout("x", kind="idle")
    assert exception_failure(error, call()) is error


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (socket.gaierror(-2, "x"), "dns"),
        (ssl.SSLCertVerificationError("x"), "tls"),
        (ssl.SSLEOFError("x"), "reset"),
        (ConnectionResetError(), "reset"),
        (ConnectionRefusedError(), "refused"),
        (OSError("no route"), "refused"),
        (ExceptionGroup("all addresses", [ConnectionRefusedError(), ConnectionRefusedError()]), "refused"),
    ],
)
def test_the_cause_of_a_failed_connection_is_found_below_it(cause, kind):
    error = httpcore2.ConnectError("x")
    error.__cause__ = cause
    failure = exception_failure(error, call())
    assert isinstance(failure, ConnectFailed)
    assert failure.kind == kind


def test_a_connection_that_breaks_while_a_reply_is_read_breaks_the_stream():
    failure = exception_failure(httpcore2.ReadError("x"), call("reading"))
    assert isinstance(failure, StreamBroken)
    assert failure.kind == "reset"
