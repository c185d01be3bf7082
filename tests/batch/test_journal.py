"""Rows are appended whole, and what is there is known again."""

from __future__ import annotations

import json
import os
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import roleforge_llm as rf
from roleforge_llm.batch.answered import Answered
from roleforge_llm.batch.journal import Journal, encoded
from roleforge_llm.batch.lines import Line
from roleforge_llm.batch.reading import lines_of

INPUT = [f'{{"id": "r{number}"}}'.encode() for number in range(1, 9)]


def result(number, **more):
    given_line = Line(number, INPUT[number - 1], len(INPUT[number - 1]), zlib.crc32(INPUT[number - 1]))
    more = more or {"completion": rf.Completion(f"text {number}\n")}
    return rf.BatchResult(number, f"r{number}", checksum=given_line.checksum, **more)


def row(number, **more):
    return encoded(result(number, **more), str)


def lines():
    return lines_of([b"\n".join(INPUT)])


def written(path, numbers, **how):
    with Journal.open(str(path), **how) as journal:
        for number in numbers:
            journal.append(row(number))
    return path.read_bytes()


def answered(path):
    with Journal.open(str(path), resume=True) as journal:
        return [line.number for line in lines() if journal.answered.has(line)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.permutations(range(1, 9)), st.integers(0, 2000))
def test_a_file_cut_anywhere_goes_on_where_its_last_whole_row_ends(tmp_path, order, cut):
    path = tmp_path / "out.jsonl"
    whole = written(path, order[:5], overwrite=True)
    torn = whole[: cut % (len(whole) + 1)]
    path.write_bytes(torn)
    done = answered(path)
    assert sorted(done) == sorted(order[: torn.count(b"\n")])
    written(path, [number for number in order if number not in done], resume=True)
    assert sorted(json.loads(line)["line"] for line in path.read_bytes().splitlines()) == list(range(1, 9))


@pytest.mark.parametrize("torn", [b"{", b'{"line": 3', row(3)[:-1], row(3)[:-9], b"\0\0\0", b'{"li\0\0\0'])
def test_what_a_kill_or_a_crash_leaves_is_cut_off(tmp_path, torn):
    path = tmp_path / "out.jsonl"
    path.write_bytes(row(1) + torn)
    assert answered(path) == [1]
    assert path.read_bytes() == row(1)


@pytest.mark.parametrize("foreign", [b"hello", b"hello\n", b"{}\n", b'{"line": 1}\n', row(1)[1:], b"\n"])
def test_a_file_that_is_no_output_of_a_batch_is_left_alone(tmp_path, foreign):
    path = tmp_path / "out.jsonl"
    path.write_bytes(foreign)
    with pytest.raises(rf.BatchError, match="line 1 is no row of a batch"):
        Journal.open(str(path), resume=True)
    assert path.read_bytes() == foreign


def test_an_output_with_rows_is_neither_added_to_nor_replaced_unless_asked(tmp_path):
    path = tmp_path / "out.jsonl"
    written(path, [1])
    with pytest.raises(rf.BatchError, match="--resume, or replace it with --overwrite"):
        Journal.open(str(path))
    assert path.read_bytes() == row(1)
    assert written(path, [2], resume=True) == row(1) + row(2)
    assert written(path, [3], overwrite=True) == row(3)


def test_two_batches_do_not_write_to_one_file(tmp_path):
    path = str(tmp_path / "out.jsonl")
    with Journal.open(path), pytest.raises(rf.BatchError, match="another batch"):
        Journal.open(path, overwrite=True)
    Journal.open(path).close()


def test_failed_rows_are_answered_and_counted(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_bytes(row(1) + row(2, error=rf.RowError("bad", "json")))
    with Journal.open(str(path), resume=True) as journal:
        assert (journal.answered.count, journal.answered.failed, journal.rows) == (2, 1, 2)


def test_a_link_to_an_output_stays_a_link_when_failed_rows_are_taken_out(tmp_path):
    path, link = tmp_path / "out.jsonl", tmp_path / "link"
    path.write_bytes(row(1) + row(2, error=rf.RowError("bad", "json")) + row(3)[:-9])
    path.chmod(0o640)
    link.symlink_to(path)
    with Journal.open(str(link), resume=True, retry_failed=True) as journal:
        assert (journal.answered.count, journal.answered.failed) == (1, 0)
        with pytest.raises(rf.BatchError, match="another batch"):
            Journal.open(str(path), resume=True)
        journal.append(row(2))
    assert path.read_bytes() == row(1) + row(2)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


def test_rows_are_on_their_way_to_the_disk_as_soon_as_they_are_appended(tmp_path):
    path = tmp_path / "out.jsonl"
    with Journal.open(str(path)) as journal:
        journal.append(row(1))
        assert path.read_bytes() == row(1)


def test_gathered_rows_are_written_as_a_block(tmp_path):
    path = tmp_path / "out.jsonl"
    with Journal.open(str(path), block=2 * len(row(1))) as journal:
        journal.append(row(1))
        assert path.read_bytes() == b""
        journal.append(row(2))
        assert path.read_bytes() == row(1) + row(2)
        journal.append(row(3))
    assert path.read_bytes() == row(1) + row(2) + row(3)


def test_a_text_that_utf8_cannot_hold_is_still_json():
    completion = rf.Completion("half \ud83d")
    assert json.loads(row(1, completion=completion))["text"] == "half \ud83d"


# ---------------------------------------------------------------------- the same input?


def answers(*numbers):
    found = Answered()
    for number in numbers:
        found.add(number, zlib.crc32(INPUT[number - 1]), True)
    return found


@settings(deadline=None)
@given(st.sets(st.integers(1, 8)))
def test_the_same_input_passes(numbers):
    found = answers(*numbers)
    found.check(lines())
    assert {line.number for line in lines() if found.has(line)} == numbers


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.replace(b"r2", b"r9"), "line 2 is not the one"),
        (lambda data: b"\n" + data, "line 2 is not the one"),
        (lambda data: data.split(b"\n")[0], "1 of its answered lines are missing"),
        (lambda data: b"", "2 of its answered lines are missing"),
    ],
)
def test_another_input_is_refused(change, words):
    with pytest.raises(rf.BatchError, match=words):
        answers(1, 2).check(lines_of([change(b"\n".join(INPUT))]))


def test_lines_that_were_not_answered_may_change_and_more_may_follow():
    answers(1, 2).check(lines_of([b"\n".join([*INPUT[:2], b"other", b"more"])]))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there is no such thing here")
def test_what_is_no_file_is_written_to_and_not_read(tmp_path):
    with Journal.open(os.devnull) as journal:
        journal.append(row(1))
        assert not journal.is_resumable
