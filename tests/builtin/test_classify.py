"""Which errors are worth a retry on the same profile."""

from __future__ import annotations

import inspect

import pytest

from roleforge_llm import BackendError, errors
from roleforge_llm_builtin.classify import classify

RETRIED = {
    "ConnectFailed": {"connect", "refused", "reset"},
    "Timeout": {"connect", "first-token", "idle", "attempt"},
    "RateLimited": {"status"},
    "ServerError": {"status", "loading", "error-body"},
    "BadReply": {"unreadable"},
    "StreamBroken": {"reset", "closed", "error-event", "unreadable"},
}
NOT_RETRIED = {
    "ConnectFailed": {"dns", "tls", "protocol"},
    "RateLimited": {"quota"},
    "AuthenticationFailed": {"status"},
    "InvalidRequest": {"status", "unsendable"},
    "ContextTooLong": {"status", "overflow"},
    "NotFound": {"status"},
    "BadReply": {"shape", "html", "redirect"},
    "TooLarge": {"body", "line", "text"},
    "BackendError": {"unexpected"},
}


def cases(table):
    return [(name, kind) for name, kinds in table.items() for kind in sorted(kinds)]


@pytest.mark.parametrize(("name", "kind"), cases(RETRIED))
def test_what_may_pass_by_itself_is_retried(name, kind):
    assert classify(getattr(errors, name)("x", kind=kind)).retryable


@pytest.mark.parametrize(("name", "kind"), cases(NOT_RETRIED))
def test_what_a_retry_cannot_cure_is_not(name, kind):
    assert not classify(getattr(errors, name)("x", kind=kind)).retryable


@pytest.mark.parametrize(("name", "kind"), cases(RETRIED))
def test_the_servers_own_no_counts(name, kind):
    assert not classify(getattr(errors, name)("x", kind=kind, should_retry=False)).retryable


@pytest.mark.parametrize("name", sorted(RETRIED))
def test_an_error_without_a_kind_is_retried_where_its_class_can_be(name):
    assert classify(getattr(errors, name)("x")).retryable


def test_every_class_of_backend_errors_is_decided_here():
    classes = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, BackendError)
    }
    assert classes == {*RETRIED, *NOT_RETRIED}


def test_other_exceptions_are_left_to_others():
    assert classify(ValueError("x")) is None
