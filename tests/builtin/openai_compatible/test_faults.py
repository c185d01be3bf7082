"""Every fault that a server can show, at the backend: its class, kind and status, and the text that came before."""

from __future__ import annotations

import pytest

from roleforge_llm import BackendError, Timeouts
from roleforge_llm.testing import FaultServer
from roleforge_llm_builtin.classify import classify
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend

LIMITS = Timeouts(connect=0.8, first_token=1.0, idle=0.8, attempt=2.0)
PATIENT = Timeouts(first_token=30, idle=30, attempt=60)
LARGE = {"huge_body", "gzip_bomb", "sse_infinite", "sse_huge_line", "500_big"}
ALONE = [*sorted(LARGE), "stale_keepalive"]


@pytest.fixture(scope="module")
def seen(run, rows, request_to):
    """What came of each fault. All wait side by side; the large ones, which need the processor, come one by one.

    So does, at the end, the one that leaves a bad connection behind."""
    with FaultServer() as server:
        backend = OpenAICompatibleBackend()
        requests = {
            row["id"]: request_to(
                server.url(row["id"]),
                stream=row["mode"] == "stream",
                timeouts=LIMITS if row.get("hangs") else PATIENT,
            )
            for row in rows
        }
        waiting = [name for name in requests if name not in ALONE]
        found = dict(zip(waiting, run(backend, [requests[name] for name in waiting]), strict=True))
        for name in ALONE:
            (found[name],) = run(backend, [requests[name]])
        backend.close()
        assert server.leaked == []
    return found


def test_every_fault_is_an_error_of_its_class_or_a_reply(row, seen):
    outcome = seen[row["id"]]
    if "error" not in row:
        assert outcome.error is None
        assert (outcome.text, outcome.reply.finish_reason) == (row["text"], row["finish_reason"])
        assert bool(outcome.reply.warnings) == row.get("flagged", False)
        return
    error = outcome.error
    assert isinstance(error, BackendError), repr(error)
    assert (type(error).__name__, error.kind, error.status) == (row["error"], row["kind"], row.get("status"))
    assert (error.retry_after, error.should_retry) == (
        pytest.approx(row["retry_after"], abs=1.1) if "retry_after" in row else None,
        row.get("should_retry"),
    )
    assert len(str(error)) <= 500
    assert "\n" not in str(error)


def test_the_text_before_a_fault_is_handed_out_exactly_once(row, seen):
    text = seen[row["id"]].text
    if "partial_from" in row:
        assert text.startswith(row["partial_from"])
    elif "error" in row:
        assert text == row.get("partial", "")


def test_what_a_retry_can_cure_is_classified_as_retryable(failing_row, seen):
    failure = classify(seen[failing_row["id"]].error)
    assert failure is not None
    assert failure.retryable == failing_row.get("retryable", failing_row["action"] in {"retry", "wait", "resume"})
