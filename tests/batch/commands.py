"""The command as a process of its own, for what only a process can show."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time

from roleforge_llm.testing import FaultServer, Pause, Reply

HELLO = [{"role": "user", "content": "Hello"}]
COMPLETION = {
    "id": "r",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}


class Setting:
    """A folder with a configuration for a server whose replies take their time, and an input of rows."""

    def __init__(self, folder, count, seconds):
        self.folder = folder
        self.out = folder / "out.jsonl"
        self.count = count
        draw = random.Random(0)
        self.server = FaultServer([lambda request: [Pause(seconds * draw.uniform(0.5, 1.5)), *_reply(request)]])

    def __enter__(self):
        self.server.__enter__()
        config = {"profiles": {"main": {"baseURL": self.server.base_url, "retryConfig": {"maxRetries": 0}}}}
        (self.folder / "roleforge-llm.json").write_text(json.dumps(config))
        lines = [json.dumps({"id": f"r{number}", "messages": HELLO}) for number in range(1, self.count + 1)]
        (self.folder / "in.jsonl").write_text("\n".join(lines) + "\n")
        return self

    def __exit__(self, *_):
        self.server.__exit__(None, None, None)

    def start(self, *options, source="in.jsonl", output="out.jsonl", **how):
        """The command, begun; ``wait`` for it or ``kill`` it."""
        command = [sys.executable, "-m", "roleforge_llm", "batch", source, "-o", output, *options]
        environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder / "home")}
        return subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.PIPE, **how)

    def run(self, *options, **how):
        """The command, done: (exit code, what it said)."""
        process = self.start(*options, **how)
        said = process.communicate(timeout=60)[1]
        return process.returncode, said.decode()

    def lines(self):
        """The line numbers of all whole rows in the output."""
        if not self.out.exists():
            return []
        rows = self.out.read_bytes().split(b"\n")[:-1]
        return [json.loads(row)["line"] for row in rows]

    def wait_for_requests(self, count, process):
        """Return once *count* requests have come in, or the process has ended."""
        until = time.monotonic() + 60
        while self.server.count < count and process.poll() is None:
            assert time.monotonic() < until, "the command does nothing"
            time.sleep(0.001)


def _reply(request):
    return Reply(json=COMPLETION)(request)
