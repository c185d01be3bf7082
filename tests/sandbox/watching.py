"""A worker process that renders templates, watched for how long it takes and how much it grows."""

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WORKER = Path(__file__).with_name("worker.py")
SECONDS = 2.5
BYTES = 128 << 20


class Worker:
    """One process for many templates; a new one takes the place of one that died, hung or grew."""

    def __init__(self) -> None:
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def render(self, case: dict[str, Any], patience: float = 20.0) -> dict[str, Any]:
        """What became of *case*; ``{"died": ...}`` if it took the process with it or more than *patience* seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(case).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], patience)
        line = self._process.stdout.readline() if ready else b""
        result: dict[str, Any] = json.loads(line) if line else {"died": "hangs" if not ready else "crashed"}
        if not line or result["grown"] > BYTES // 4:
            self._stop()
            self._process = self._start()
        return result

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def complaint(case: dict[str, Any], result: dict[str, Any]) -> str:
    """What is wrong with how *case* ended; "" if nothing is."""
    if "died" in result or "escaped" in result:
        return str(result.get("died") or result["escaped"])
    if result["changed"] or result["given_changed"]:
        return "the caller's data changed"
    if result["seconds"] > SECONDS or result["grown"] > BYTES:
        return f"{result['seconds']:.2f} s, {result['grown'] >> 20} MB"
    if case["expect"] == "blocked" and "error" not in result:
        return f"not refused: {result['text'][:200]!r}"
    if "error" in result and (result["type"] != "TemplateError" or len(result["error"]) > 1200):
        return f"{result['type']} of {len(result['error'])} characters"
    return ""
