"""``chat``, ``explain`` and ``plan`` against a scripted server."""

from __future__ import annotations

import pytest

from roleforge_llm.testing import FaultServer, no_waiting


@pytest.fixture
def served(config):
    """A configuration whose profile ``a`` plays a script, and ``b`` (its fallback) answers."""
    with FaultServer(["503", "401"]) as broken, FaultServer(["ok"]) as well:

        def write(**more):
            config(
                {
                    "a": {"baseURL": broken.base_url, "apiKey": "sk-secret", "fallbackProfiles": ["b"], **more},
                    "b": {"baseURL": well.base_url, "template": "alpaca"},
                }
            )
            return broken, well

        with no_waiting():
            yield write


def test_chat_prints_the_reply_alone_on_stdout(run, served):
    served()
    found = run("chat", "Hi", "--profile", "b")
    assert (found.code, found.out) == (0, "one two three four\n")
    found = run("chat", "Hi", "--profile", "b", "--no-stream")
    assert (found.code, found.out) == (0, "hello world\n")


def test_chat_json_tells_the_attempts(run, served):
    served()
    found = run("chat", "Hi", "--json")
    assert set(found.json) == {"text", "finish_reason", "profile", "model", "format", "warnings", "attempts"}
    assert (found.json["text"], found.json["profile"], found.json["format"]) == ("hello world", "b", "alpaca")
    attempts = found.json["attempts"]
    assert [set(attempt) for attempt in attempts] == [{"profile", "number", "ok", "error", "status", "waited"}] * 3
    assert [(a["profile"], a["number"], a["ok"], a["status"]) for a in attempts] == [
        ("a", 1, False, 503),
        ("a", 2, False, 401),
        ("b", 1, True, None),
    ]


def test_when_all_fail_each_attempt_is_a_line_and_the_exit_code_is_1(run, served):
    served(fallbackProfiles=[])
    found = run("chat", "Hi")
    assert (found.code, found.out) == (1, "")
    assert "error: no profile gave a reply: 2 attempts failed\n" in found.err
    assert sum(line.startswith("  a, attempt") for line in found.err.splitlines()) == 2
    assert "Traceback" not in found.err
    assert "sk-secret" not in found.err


def test_chat_json_that_fails_is_json_too(run, served):
    served(fallbackProfiles=[])
    found = run("chat", "Hi", "--json")
    assert (found.code, len(found.json["attempts"])) == (1, 2)


def test_a_conversation_keeps_its_history(run, served):
    _, well = served()
    found = run("chat", "--profile", "b", stdin="Hello\n\nAnd?\n")
    assert (found.code, found.out) == (0, "one two three four\n" * 2)
    prompts = [request.json["prompt"] for request in well.requests]
    assert prompts[1].startswith("### Instruction:\nHello\n### Response:\none two three four\n### Instruction:\nAnd?\n")


def test_a_failed_turn_does_not_end_the_conversation(run, served):
    served(fallbackProfiles=[])
    found = run("chat", stdin="Hello\nAgain\n")
    assert found.err.count("error: no profile gave a reply") == 2


def test_a_piped_conversation_with_a_failed_turn_ends_with_code_1(run, config):
    with FaultServer(["401", "ok"]) as server:
        config({"a": {"baseURL": server.base_url, "template": "alpaca"}})
        found = run("chat", stdin="Hello\nAgain\n")
    assert (found.code, found.out) == (1, "one two three four\n")
    assert "Hello" not in server.requests[1].json["prompt"]


@pytest.mark.parametrize(
    ("line", "told"),
    [(b"a\0b", "error: messages[0]: content contains NUL"), (b"a\xffb", "error: the line is not UTF-8: byte 1\n")],
)
def test_a_piped_line_that_cannot_be_sent_ends_with_code_2_after_the_others(run, served, line, told):
    _, well = served()
    found = run("chat", "--profile", "b", stdin=line + b"\nHello\n")
    assert (found.code, found.out, well.count) == (2, "one two three four\n", 1)
    assert found.err.startswith(told)
    assert found.err.count("\n") == 1


def test_a_person_at_a_terminal_ends_with_code_0_whatever_failed(run, served, config):
    served(fallbackProfiles=[])
    found = run("chat", stdin="Hello\n", terminal=True)
    assert (found.code, found.err.count("error: no profile gave a reply")) == (0, 1)


def test_chat_json_needs_something_to_answer(run, served):
    served()
    found = run("chat", "--json", stdin="Hello\n")
    assert (found.code, found.out) == (2, "")
    assert "--json needs TEXT or --messages" in found.err


def test_explain_sends_nothing_and_shows_every_byte(run, served):
    broken, well = served()
    found = run("explain", "Hi", "--profile", "b", "--json").json
    assert (broken.count, well.count) == (0, 0)
    assert found["prompt"] == "### Instruction:\nHi\n### Response:\n"
    assert found["body"]["prompt"] == found["prompt"]
    assert found["stop"][0] == {"text": "### Input:", "origin": "format alpaca"}
    assert found["backend"].startswith("openai-compatible, from builtin (roleforge-llm ")
    text = run("explain", "Hi")
    assert "sk-secret" not in text.out + text.err
    assert "Authorization: Bearer ***" in text.out


def test_plan_tells_the_worst_case(run, served):
    served()
    found = run("plan", "--json").json
    assert set(found) == {"max_requests", "max_wait_seconds", "steps"}
    assert (found["max_requests"], found["max_wait_seconds"]) == (8, 360)
    assert [(step["profile"], step["max_requests"]) for step in found["steps"]] == [("a", 4), ("b", 4)]
    assert "at most 8 requests and 360 s of waiting" in run("plan").out


def test_an_unknown_profile_is_told_with_the_known_ones(run, served):
    served()
    found = run("chat", "Hi", "--profile", "c")
    assert found.code == 2
    assert found.err.count("\n") == 1
    assert '"c"' in found.err
    assert '"a", "b"' in found.err


def test_without_any_configuration_the_next_step_is_told(run):
    found = run("chat", "Hi")
    assert (found.code, "roleforge-llm init" in found.err) == (2, True)
