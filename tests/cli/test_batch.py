"""``roleforge-llm batch``: options, outputs, exit codes, and what a resumed batch does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from roleforge_llm.testing import FaultServer

HELLO = [{"role": "user", "content": "Hello"}]


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def rows(tmp_path):
    """Writes rows (or lines of bytes) into ``in.jsonl``."""

    def writing(*given):
        lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in given]
        (tmp_path / "in.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))

    return writing


@pytest.fixture
def server():
    with FaultServer("ok") as found:
        yield found


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.jsonl"


@pytest.fixture
def batch(run, config, server):
    """Runs the command with a profile "main" that leads to the server."""

    def running(*more, source="in.jsonl", output="out.jsonl", **settings):
        config({"main": {"baseURL": server.base_url, "model": "m", **settings}})
        return run("batch", source, "-o", output, *more)

    return running


def numbered(count):
    return [{"id": f"r{number}", "messages": HELLO} for number in range(1, count + 1)]


# ---------------------------------------------------------------------- results and exit codes


def test_every_row_has_a_reply(batch, rows, out):
    rows(*numbered(20))
    done = batch()
    assert (done.code, done.out) == (0, "")
    assert "20 rows in" in done.err
    found = {row["id"]: row for row in read(out)}
    assert set(found) == {f"r{number}" for number in range(1, 21)}
    assert " ".join(found["r1"]) == (
        "line checksum ok id text finish_reason profile model format usage reasoning tool_calls segments omitted "
        "attempts warnings"
    )
    assert found["r7"]["text"] == "hello world"
    assert found["r7"]["line"] == 7


def test_broken_lines_are_error_rows_with_their_number(batch, rows, out):
    rows({"messages": HELLO}, b"{", b"", b"[]", b"\xff", {"id": 1, "messages": HELLO}, {"messages": [], "tempo": 1})
    done = batch("--in-order")
    assert done.code == 1
    assert [(row["line"], row["id"], row.get("error", {}).get("kind")) for row in read(out)] == [
        (1, 1, None),
        (2, 2, "json"),
        (4, 4, "not-an-object"),
        (5, 5, "utf-8"),
        (6, 1, "duplicate-id"),
        (7, 7, "unknown-key"),
    ]
    assert "RowError json 1" in done.err


def test_openais_file_runs_as_it_stands(batch, rows, out, server):
    body = {"model": "m", "messages": HELLO, "max_completion_tokens": 5, "tool_choice": "none"}
    rows(
        {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body},
        {"custom_id": "b", "method": "POST", "url": "/v1/completions", "body": {"model": "m", "prompt": "Hi"}},
    )
    assert batch("--in-order").code == 1
    first, second = read(out)
    assert (first["id"], first["profile"]) == ("a", "main")
    assert (second["id"], second["error"]["kind"]) == ("b", "shape")
    (request,) = server.requests
    assert request.json["max_tokens" if "max_tokens" in request.json else "max_completion_tokens"] == 5
    assert request.json["tool_choice"] == "none"


def test_a_rows_settings_are_its_own(batch, rows, server):
    rows({"messages": HELLO, "temperature": 0.25}, {"messages": HELLO})
    batch("--in-order", "--concurrency", "1")
    assert [request.json.get("temperature") for request in server.requests] == [0.25, None]


def test_a_failed_row_says_what_was_tried_and_no_secret(batch, rows, out, server):
    rows({"messages": HELLO})
    session = server.session(["401_echo_key"])
    done = batch("--json", baseURL=session.base_url, apiKey="sk-very-secret")
    assert done.code == 1
    (row,) = read(out)
    assert (row["ok"], row["error"]["status"], row["error"]["kind"]) == (False, 401, "status")
    assert [attempt["ok"] for attempt in row["error"]["attempts"]] == [False]
    assert "sk-very-secret" not in out.read_text()
    assert done.json["errors"] == {"AuthenticationFailed 401": 1}


def test_the_summary_as_json_is_alone_on_stdout(batch, rows):
    rows(*numbered(3), b"{")
    found = batch("--json").json
    del found["seconds"]
    assert found == {
        "rows": 4,
        "ok": 3,
        "failed": 1,
        "errors": {"RowError json": 1},
        "earlier": 0,
        "earlier_failed": 0,
        "profiles": {"main": 3},
        "fallbacks": {},
        "requests": 3,
        "tokens": {"prompt": 9, "completion": 6},
        "interrupted": False,
    }


def test_fallbacks_are_those_of_the_profile_and_are_told(run, config, rows, server, out):
    rows(*numbered(5))
    dead = {"baseURL": server.url("refuse"), "fallbackProfiles": ["b"], "retryConfig": {"maxRetries": 0}}
    config({"a": dead, "b": {"baseURL": server.base_url}})
    done = run("batch", "in.jsonl", "-o", "out.jsonl", "--limit", "b=2")
    assert done.code == 0
    assert "as a fallback: b 5" in done.err
    assert {row["profile"] for row in read(out)} == {"b"}
    assert "LLM API call failed" not in done.err


# ---------------------------------------------------------------------- what is refused, before anything is sent


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--resume", "--overwrite"], "give one of them"),
        (["--retry-failed"], "needs --resume"),
        (["--format", "chatml"], "--format needs --render-only"),
        (["--concurrency", "0"], "neither a whole number from 1 nor auto"),
        (["--concurrency", "many"], "nor auto"),
        (["--limit", "main"], "PROFILE=N"),
        (["--limit", "main=0"], "PROFILE=N"),
        (["--limit", "other=3"], 'no profile "other"'),
        (["--profile", "other"], 'no profile "other"'),
    ],
)
def test_wrong_usage_is_told_and_touches_nothing(batch, rows, out, server, options, words):
    rows(*numbered(1))
    done = batch(*options)
    assert done.code == 2
    assert words in done.err
    assert not out.exists()
    assert server.count == 0


def test_an_input_that_cannot_be_read_is_told(batch, tmp_path):
    assert "gone.jsonl: cannot be read: No such file" in batch(source="gone.jsonl").err
    assert ": is a folder" in batch(source=str(tmp_path)).err


def test_an_output_that_cannot_be_written_is_told(batch, rows):
    rows(*numbered(1))
    done = batch(output="no/such/folder.jsonl")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "no/such/folder.jsonl: cannot be written" in done.err


def test_the_input_is_never_the_output(batch, rows, tmp_path):
    rows(*numbered(1))
    before = (tmp_path / "in.jsonl").read_bytes()
    assert "the output is the input" in batch("--overwrite", output="./in.jsonl").err
    with (tmp_path / "in.jsonl").open("rb") as stdin:
        done = piped("batch", "-", "-o", "in.jsonl", "--overwrite", stdin=stdin, cwd=tmp_path)
    assert b"the output is the input" in done.stderr
    assert (tmp_path / "in.jsonl").read_bytes() == before


def test_an_output_that_is_there_is_only_resumed_or_overwritten(batch, rows, out, server):
    rows(*numbered(3))
    batch()
    done = batch()
    assert done.code == 2
    assert "--resume" in done.err
    assert "--overwrite" in done.err
    assert batch("--overwrite").code == 0
    assert len(read(out)) == 3
    assert server.count == 6


# ---------------------------------------------------------------------- resuming


def test_resuming_asks_only_for_what_is_missing(batch, rows, out, server):
    rows(*numbered(10), b"{")
    assert batch("--in-order").code == 1
    out.write_bytes(b"".join(out.read_bytes().splitlines(keepends=True)[:6]) + b'{"line": 7, "che')
    done = batch("--resume", "--json")
    assert done.code == 1
    assert (done.json["rows"], done.json["earlier"]) == (5, 6)
    assert Counter(row["line"] for row in read(out)) == Counter(range(1, 12))
    assert server.count == 10 + 4


def test_resuming_what_is_complete_does_nothing_and_tells_of_its_failures(batch, rows, out, server):
    rows(*numbered(2), b"{")
    batch()
    before = out.read_bytes()
    done = batch("--resume")
    assert done.code == 1
    assert "before: 3 rows, 1 of them failed" in done.err
    assert out.read_bytes() == before
    assert server.count == 2


def test_failed_rows_are_asked_again_where_that_is_wanted(batch, rows, out, server):
    rows(*numbered(4), b"{")
    session = server.session(["ok", "400", "400", "ok"])
    assert batch("--concurrency", "1", baseURL=session.base_url).code == 1
    done = batch("--resume", "--retry-failed", "--json")
    assert done.code == 1
    assert (done.json["earlier"], done.json["ok"], done.json["errors"]) == (2, 2, {"RowError json": 1})
    assert Counter((row["line"], row["ok"]) for row in read(out)) == Counter(
        {(1, True): 1, (2, True): 1, (3, True): 1, (4, True): 1, (5, False): 1}
    )
    assert server.count == 2
    assert sorted(path.name for path in out.parent.glob("out*")) == ["out.jsonl"]


def test_resuming_what_never_began_begins_it(batch, rows, out):
    rows(*numbered(2))
    assert batch("--resume").code == 0
    assert len(read(out)) == 2


@pytest.mark.parametrize("answered", [0, 1], ids=["the first row was answered", "the second row was answered"])
def test_of_two_rows_with_one_id_the_second_fails_whichever_was_answered_before(batch, rows, out, answered):
    rows({"id": "x", "messages": HELLO}, {"id": "x", "messages": HELLO})
    batch("--in-order")
    out.write_bytes(out.read_bytes().splitlines(keepends=True)[answered])
    batch("--resume")
    assert sorted((row["line"], row["ok"]) for row in read(out)) == [(1, True), (2, False)]


def test_another_input_is_refused_before_anything_is_sent(batch, rows, out, server):
    rows(*numbered(3))
    batch("--in-order")
    before = out.read_bytes()
    rows({"messages": HELLO}, *numbered(3))
    done = batch("--resume")
    assert done.code == 2
    assert "belongs to another input: line 1 is not the one" in done.err
    assert out.read_bytes() == before
    assert server.count == 3


def test_nothing_is_sent_for_the_lines_before_the_one_that_is_another(batch, rows, out, server):
    rows(*numbered(3))
    batch("--in-order")
    out.write_bytes(out.read_bytes().splitlines(keepends=True)[2])
    rows(*numbered(2), {"messages": HELLO})
    assert "line 3 is not the one" in batch("--resume").err
    assert server.count == 3


def test_an_input_that_has_grown_is_the_same_input(batch, rows, server):
    rows(*numbered(3))
    batch()
    rows(*numbered(5))
    assert batch("--resume").code == 0
    assert server.count == 5


# ---------------------------------------------------------------------- prompts


def test_prompts_need_no_configuration(run, rows, out):
    rows({"id": "a", "messages": HELLO}, b"{")
    done = run("batch", "in.jsonl", "-o", "out.jsonl", "--render-only", "--format", "alpaca")
    assert done.code == 1
    row, broken = read(out)
    assert row == {
        "line": 1,
        "checksum": row["checksum"],
        "ok": True,
        "id": "a",
        "prompt": run("render", "--format", "alpaca", "--user", "Hello").out,
        "stop": ["### Input:", "### Instruction:", "### Response:"],
        "format": "alpaca",
        "warnings": [],
    }
    assert (broken["line"], broken["error"]["kind"]) == (2, "json")


def test_prompts_are_in_the_format_of_the_rows_profile(run, config, rows, out):
    config({"a": {"backend": "x", "template": "alpaca"}, "b": {"backend": "x", "template": "vicuna"}, "c": {}})
    rows({"messages": HELLO}, {"messages": HELLO, "profile": "b"}, {"messages": HELLO, "profile": "c"})
    assert run("batch", "in.jsonl", "-o", "out.jsonl", "--render-only").code == 1
    first, second, third = read(out)
    assert (first["format"], second["format"]) == ("alpaca", "vicuna")
    assert "its server renders the messages" in third["error"]["message"]


def test_a_profile_whose_server_renders_is_refused_for_all_at_once(run, config, rows, out):
    config({"a": {"baseURL": "http://localhost:1/v1"}})
    rows({"messages": HELLO})
    done = run("batch", "in.jsonl", "-o", "out.jsonl", "--render-only")
    assert done.code == 2
    assert "--format" in done.err
    assert not out.exists()


# ---------------------------------------------------------------------- pipes


def piped(*arguments, stdin, cwd):
    given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    return subprocess.run(
        [sys.executable, "-m", "roleforge_llm", *arguments],
        **given,
        capture_output=True,
        cwd=cwd,
        timeout=60,
        check=False,
    )


def test_rows_come_from_stdin_and_results_go_to_stdout_and_failed_attempts_are_not_logged(batch, server, tmp_path):
    batch(source="gone.jsonl", baseURL=server.session(["400", "ok"]).base_url)  # writes the configuration
    lines = "".join(json.dumps(row) + "\n" for row in numbered(30)).encode()
    done = piped("batch", "-", "-o", "-", "--in-order", stdin=lines, cwd=tmp_path)
    assert done.returncode == 1
    assert b"30 rows in" in done.stderr
    assert b"LLM API call" not in done.stderr
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [f"r{n}" for n in range(1, 31)]
