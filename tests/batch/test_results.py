"""What a row of the output says."""

from __future__ import annotations

import json

import pytest

import roleforge_llm as rf
from roleforge_llm.batch.summary import Tally

FAILED = rf.Attempt("a", 1, ok=False, error="ServerError: no", kind="status", status=503, next="give up")
REPLIED = rf.Attempt("b", 1, ok=True, elapsed=0.5)


def failed(error, **more):
    return rf.BatchResult(1, "x", error=error, **more)


def everywhere():
    errors = [
        rf.ConnectFailed("gone", kind="refused"),
        rf.ServerError("key abc", kind="status", status=503, partial="p"),
    ]
    return rf.AllProfilesFailed([FAILED], errors, "he said abc")


def test_a_completion_is_given_under_its_own_names():
    completion = rf.Completion(
        "text",
        "stop",
        "b",
        "m",
        "chatml",
        usage=rf.Usage(1, 2, 3),
        attempts=(FAILED, REPLIED),
        segments=(rf.Segment("a", "te"), rf.Segment("b", "xt")),
        omitted=(1,),
        warnings=("w",),
    )
    row = rf.BatchResult(4, "x", completion, checksum="00ff00ff").to_dict()
    assert list(row)[:4] == ["line", "checksum", "ok", "id"]
    assert row["segments"] == [{"profile": "a", "text": "te"}, {"profile": "b", "text": "xt"}]
    assert row["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    assert [attempt["status"] for attempt in row["attempts"]] == [503, None]
    for name in ("text", "finish_reason", "profile", "model", "format", "reasoning"):
        assert row[name] == getattr(completion, name)
    assert json.loads(json.dumps(row)) == row


def test_a_row_that_came_from_no_file_has_no_checksum():
    assert "checksum" not in failed(rf.RowError("bad", "json")).to_dict()


def test_a_call_that_failed_everywhere_has_kind_and_status_of_its_last_attempt():
    error = failed(everywhere()).to_dict()["error"]
    assert (error["type"], error["kind"], error["status"]) == ("AllProfilesFailed", "status", 503)
    assert len(error["attempts"]) == 1


def test_no_secret_is_in_a_message_or_a_partial_text():
    row = failed(everywhere()).to_dict(lambda text: text.replace("abc", "***"))
    assert "abc" not in json.dumps(row)
    assert row["error"]["partial"] == "he said ***"
    row = failed(rf.PluginError("it said abc")).to_dict(lambda text: text.replace("abc", "***"))
    assert row["error"]["message"] == "it said ***"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (rf.RowError("bad", "json"), "json"),
        (rf.MessageError("empty"), "messages"),
        (rf.ForgedTurn("forged"), "forged-turn"),
        (rf.ConfigError([rf.Fault("", "no")]), "setting"),
        (rf.TemplateError("broken"), "format"),
        (rf.PluginError("missing"), "plugin"),
        (rf.Timeout("late", kind="idle"), "idle"),
        (rf.AllProfilesFailed((), (), reason="every profile is resting"), "unexpected"),
        (ZeroDivisionError("bug"), "unexpected"),
    ],
)
def test_every_error_has_a_kind(error, kind):
    assert failed(error).kind == kind


def test_a_tally_counts_rows_replies_errors_and_tokens():
    tally = Tally(earlier=2)
    usage = rf.Usage(10, 5, 15)
    tally.add(rf.BatchResult(1, 1, rf.Completion("x", profile="a", usage=usage, attempts=(REPLIED,)), profile="a"))
    tally.add(rf.BatchResult(2, 2, rf.Completion("x", profile="b", attempts=(FAILED, REPLIED)), profile="a"))
    tally.add(failed(everywhere()))
    assert tally.to_dict(1.5, interrupted=True) == {
        "rows": 3,
        "ok": 2,
        "failed": 1,
        "errors": {"ServerError 503": 1},
        "earlier": 2,
        "earlier_failed": 0,
        "profiles": {"a": 1, "b": 1},
        "fallbacks": {"b": 1},
        "requests": 4,
        "tokens": {"prompt": 10, "completion": 5},
        "seconds": 1.5,
        "interrupted": True,
    }
    assert not tally.all_ok
