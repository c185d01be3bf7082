"""One llama.cpp server in a child process, which never outlives the process that started it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import weakref
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from roleforge_llm import BackendError, InvalidRequest, Timeout

__all__ = ["DEFAULT_CONTEXT", "STARTING", "LlamaServer"]

DEFAULT_CONTEXT = 4096
SLOTS = 2

TINY = 50_000_000
"""Bytes of a model file below which one thread is the fastest: several spend more on waiting for each other."""

STARTING = threading.Lock()
"""Held while a server is started, and over a fork: a forked process sees each server whole or not at all."""

_ENGINE = Path(__file__).with_name("engine.py")
_RUNNING: weakref.WeakSet[LlamaServer] = weakref.WeakSet()


class NotStartedError(Exception):
    """Why the child process gave no server; *engine* if the engine itself is at fault, not the model."""

    def __init__(self, reason: str, engine: bool = False) -> None:
        super().__init__(reason)
        self.engine = engine


class LlamaServer:
    """A running (or still loading) server for the GGUF file *model*; make it while holding :data:`STARTING`.

    *context* is the window of one conversation in tokens; the server lowers it to the model's own. The
    process ends with :meth:`close`, with the last reference to this object, and with this process, however
    that ends. In a process forked from this one the object counts as ended.

    The key keeps other users of the machine, and web pages, away from the port.
    """

    def __init__(self, model: Path, context: int = DEFAULT_CONTEXT) -> None:
        self.model = model
        self.key = secrets.token_urlsafe(24)
        self._owner = os.getpid()
        self._url: Future[str] = Future()
        log = tempfile.TemporaryFile()  # noqa: SIM115  # the thread below closes it
        self._process = _spawn(log)
        self._end = weakref.finalize(self, _end, self._process)
        _RUNNING.add(self)
        _tell(
            self._process,
            {
                "model": str(model),
                "name": model.stem,
                "key": self.key,
                "context": context,
                "slots": SLOTS,
                "threads": 1 if model.stat().st_size < TINY else None,
            },
        )
        threading.Thread(target=_report, args=(self._url, self._process, log, model), daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is running, as far as this process may know."""
        return os.getpid() == self._owner and self._process.poll() is None

    def url(self, seconds: float | None = None) -> str:
        """Where the server listens (``http://127.0.0.1:PORT``), after waiting up to *seconds* for it to load.

        Raises :class:`Timeout` (it goes on loading), :class:`InvalidRequest` for a model that cannot be
        loaded and :class:`BackendError` where the engine itself cannot run.
        """
        try:
            return self._url.result(seconds)
        except concurrent.futures.TimeoutError:
            raise self._still_loading(seconds) from None
        except NotStartedError as error:
            raise _as_ours(error) from None

    async def aurl(self, seconds: float | None = None) -> str:
        """:meth:`url` for asyncio."""
        try:
            async with asyncio.timeout(seconds):
                # Shielded, because other callers wait for the same future.
                return await asyncio.shield(_noticed(asyncio.wrap_future(self._url)))
        except TimeoutError:
            raise self._still_loading(seconds) from None
        except NotStartedError as error:
            raise _as_ours(error) from None

    def close(self) -> None:
        """End the process and wait for its end."""
        self._end()

    def _still_loading(self, seconds: float | None) -> Timeout:
        return Timeout(
            f"llama.cpp is still loading {self.model} after {seconds or 0:.3g} s; it goes on, try again or raise "
            "timeouts.firstToken",
            kind="first-token",
        )

    def forsake(self) -> None:
        """In a forked process: let go of the server without ending it, since it is the other process's."""
        self._end.detach()
        assert self._process.stdin is not None
        self._process.stdin.close()  # else the server would outlive the process that started it
        self._process.poll()  # finds that this is no child of ours, which settles the object


def _noticed(found: asyncio.Future[str]) -> asyncio.Future[str]:
    """*found*, whose exception asyncio need not complain of where nobody waits for it any longer."""
    found.add_done_callback(lambda done: done.cancelled() or done.exception())
    return found


def _spawn(log: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603  # our own script
            [sys.executable, "-P", str(_ENGINE)],  # -P: the script's neighbours are no top-level modules
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the application
        )
    except OSError as error:
        log.close()
        raise BackendError(f"llama.cpp's process cannot be started: {error}", kind="engine") from error


def _tell(process: subprocess.Popen[bytes], settings: object) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it died already: _report says why
        process.stdin.write(json.dumps(settings).encode() + b"\n")


def _report(url: Future[str], process: subprocess.Popen[bytes], log: IO[bytes], model: Path) -> None:
    """Wait for the child's answer and put it, or the reason why there is none, into *url*."""
    assert process.stdout is not None
    with log, process.stdout as answers:
        answer = json.loads(answers.readline() or b"{}")
        if "url" in answer:
            url.set_result(answer["url"])
        elif "import_error" in answer:
            url.set_exception(NotStartedError(_engine_advice(answer["import_error"]), engine=True))
        else:
            url.set_exception(NotStartedError(_complaint(process.wait(), log, model)))


def _engine_advice(problem: str) -> str:
    if "libgomp" in problem:
        return (
            "llama.cpp needs the system library libgomp.so.1, which is not installed; run "
            "`apt-get install libgomp1` (Debian, Ubuntu) or `dnf install libgomp` (Fedora)"
        )
    return f"llama.cpp's engine cannot be loaded ({problem}); run `pip install --force-reinstall xllamacpp`"


def _complaint(exit_code: int, log: IO[bytes], model: Path) -> str:
    """What went wrong, in one line: llama.cpp's first error line, else the exit code."""
    log.seek(0)
    lines = log.read(100_000).decode(errors="replace").splitlines()
    errors = [line.split(" E ", 1)[1] for line in lines if " E " in line]
    if errors:
        return f"llama.cpp cannot load {model}: {' '.join(errors[0].split()):.300}"
    if exit_code < 0:
        return f"llama.cpp was killed by signal {-exit_code} while loading {model}; is there enough memory?"
    return f"llama.cpp ended with exit code {exit_code} while loading {model}: {' '.join(lines[-1:]):.300}"


def _as_ours(error: NotStartedError) -> BackendError:
    return BackendError(str(error), kind="engine") if error.engine else InvalidRequest(str(error), kind="model")


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _after_fork_in_child() -> None:
    for server in list(_RUNNING):
        server.forsake()
    _RUNNING.clear()
    STARTING.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=STARTING.acquire, after_in_parent=STARTING.release, after_in_child=_after_fork_in_child)
