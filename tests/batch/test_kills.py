"""Whatever ends a batch, it can be resumed: every row of the input is once in the output, and no reply is lost."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.batch.commands import Setting

AT_ONCE = 4


@pytest.mark.parametrize(
    ("kills", "order"),
    [
        (3, ["--in-order"]),
        (2, []),
        pytest.param(50, ["--in-order"], marks=pytest.mark.nightly),
        pytest.param(50, [], marks=pytest.mark.nightly),
    ],
)
def test_a_batch_that_is_killed_at_any_moment_goes_on_where_it_was(tmp_path, kills, order):
    draw = random.Random(kills)
    with Setting(tmp_path, 12 * kills, seconds=0.01) as setting:
        for _ in range(kills):
            process = setting.start("--resume", "--concurrency", str(AT_ONCE), *order)
            setting.wait_for_requests(setting.server.count + draw.randrange(1, 16), process)
            time.sleep(draw.uniform(0, 0.01))  # not to wait for anything: the moment is to be any
            process.kill()
            process.communicate()
            assert len(setting.lines()) == len(set(setting.lines()))
        code, said = setting.run("--resume", *order)
        assert code == 0, said
        assert sorted(setting.lines()) == list(range(1, 12 * kills + 1))
        held = AT_ONCE * 5 if order else AT_ONCE
        assert setting.server.count <= 12 * kills + kills * held, "only what was in flight is paid for twice"


@pytest.mark.nightly
def test_a_batch_that_is_killed_before_it_asks_anything_goes_on(tmp_path):
    """While it starts, reads the output, compares the input: these are most of the time of a small batch."""
    draw = random.Random(1)
    with Setting(tmp_path, 40, seconds=0.01) as setting:
        for _ in range(50):
            process = setting.start("--resume", "--concurrency", "1")
            time.sleep(draw.uniform(0, 1.0))
            process.kill()
            process.communicate()
        assert setting.run("--resume")[0] == 0
        assert sorted(setting.lines()) == list(range(1, 41))


# ---------------------------------------------------------------------- interruptions


def test_an_interrupted_batch_finishes_what_is_in_flight(tmp_path):
    with Setting(tmp_path, 100, seconds=0.2) as setting:
        process = setting.start("--concurrency", str(AT_ONCE))
        setting.wait_for_requests(AT_ONCE, process)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 130
        assert len(setting.lines()) == setting.server.count
        assert "--resume" in said


def test_an_interrupted_batch_waits_no_longer_than_its_grace(tmp_path):
    with Setting(tmp_path, 100, seconds=60) as setting:
        process = setting.start("--grace", "0.2")
        setting.wait_for_requests(4, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 130
        assert setting.lines() == []


def test_a_second_interruption_ends_at_once(tmp_path):
    with Setting(tmp_path, 100, seconds=60) as setting:
        process = setting.start()
        setting.wait_for_requests(4, process)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith(b"finishing what is under way (4 of 4 at once)")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 130
        assert setting.lines() == []


SLEEPY = """
import time
import roleforge_llm as rf

class Sleepy(rf.Backend):
    def complete(self, request):
        print("asked", flush=True)
        time.sleep(60)

@rf.hookimpl
def roleforge_backends():
    return [rf.BackendSpec("sleepy", Sleepy)]
"""


def test_a_second_interruption_ends_what_cannot_be_interrupted(tmp_path):
    """A backend without asyncio is asked in a thread, for which Python would wait."""
    with Setting(tmp_path, 3, seconds=0) as setting:
        (tmp_path / "sleepy.py").write_text(SLEEPY)
        (tmp_path / "sleepy-1.0.dist-info").mkdir()
        (tmp_path / "sleepy-1.0.dist-info" / "METADATA").write_text("Name: sleepy\nVersion: 1.0\n")
        (tmp_path / "sleepy-1.0.dist-info" / "entry_points.txt").write_text("[roleforge_llm]\nsleepy = sleepy\n")
        (tmp_path / "roleforge-llm.json").write_text('{"profiles": {"main": {"backend": "sleepy"}}}')
        process = setting.start(stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"asked\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith(b"finishing")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 130
        assert b"interrupted; out.jsonl has 0 rows: go on with --resume" in said


def test_an_interruption_while_it_waits_for_a_pipe_ends_it(tmp_path):
    with Setting(tmp_path, 1, seconds=0) as setting:
        process = setting.start("--grace", "0.1", source="-", stdin=subprocess.PIPE)
        process.stdin.write((tmp_path / "in.jsonl").read_bytes())
        process.stdin.flush()
        setting.wait_for_requests(1, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
        assert setting.lines() == [1]
        process.communicate()


# ---------------------------------------------------------------------- a full disk


def test_a_full_disk_is_told_in_a_line_and_leaves_whole_rows(tmp_path):
    with Setting(tmp_path, 60, seconds=0) as setting:
        full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))}
        code, said = setting.run("--concurrency", "4", **full)
        assert code == 1
        error = [line for line in said.splitlines() if line.startswith("error:")]
        assert error == [
            f"error: cannot write out.jsonl: File too large; its {len(setting.lines())} rows are whole: go on with --resume"
        ]
        assert setting.out.read_bytes().endswith(b"\n")
        assert 0 < len(setting.lines()) < 60
        assert setting.run("--resume")[0] == 0
        assert sorted(setting.lines()) == list(range(1, 61))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such device here")
def test_a_full_device_is_told_in_a_line(tmp_path):
    with Setting(tmp_path, 3, seconds=0) as setting:
        code, said = setting.run(output="/dev/full")
        assert code == 1
        assert "error: cannot write /dev/full: No space left on device; its 0 rows are whole\n" in said
