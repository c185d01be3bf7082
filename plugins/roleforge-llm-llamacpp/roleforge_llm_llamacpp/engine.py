"""The child process: llama.cpp's server, for as long as standard input stays open.

server.py runs this file as a script. The first line of standard input is a JSON object with the settings; the
answer is one JSON line on standard output, ``{"url": ...}`` once the model is loaded, or ``{"import_error": ...}``.
llama.cpp's complaints go to standard error.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from typing import TypedDict

HTTP_THREADS = 64
"""Each serves one connection, and stays with it for 5 s after an answer; by itself llama.cpp has about four."""


CACHE_MIB = 512
"""For prompts that have lost their slot; by itself llama.cpp takes up to 8192 of the machine's memory."""


class Settings(TypedDict):
    """*context* is the window of each slot in tokens, *slots* how many conversations run side by side.

    *threads* is None to leave their number to llama.cpp.
    """

    model: str
    name: str
    key: str
    context: int
    slots: int
    threads: int | None


def main() -> None:
    """Load the model, say where the server is, and end when standard input closes."""
    settings: Settings = json.loads(sys.stdin.buffer.readline())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing but the answer may reach standard output
    end_with_parent()
    try:
        url, server = start(settings)
    except ImportError as error:
        print(json.dumps({"import_error": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"url": url}), file=answers, flush=True)
    answers.close()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nobody reads the log of a running server
    threading.Event().wait()
    del server  # never reached: it must stay referenced as long as it serves


def end_with_parent() -> None:
    """End this process when the other end of standard input is closed, by the parent or by its death."""
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
    if sys.platform == "linux":
        _be_killed_at_end_of_input()


def _exit_at_end_of_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def _be_killed_at_end_of_input() -> None:
    """Let the kernel do it: while llama.cpp loads a model it holds the GIL, so that no Python thread runs.

    The death of the parent could be asked for by prctl too, but that means the death of the parent's thread.
    """
    import fcntl

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([0], [], [], 0)[0]:  # it was closed before the kernel was asked to tell
        os._exit(0)


def start(settings: Settings) -> tuple[str, object]:
    """Load the model and serve it on a free port of the loopback interface: the URL, and the server's owner."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = settings["model"]
    parameters.model_alias = {settings["name"]}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [settings["key"]]
    parameters.n_ctx = settings["context"] * settings["slots"]
    parameters.n_parallel = settings["slots"]
    if settings["threads"] is not None:
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = settings["threads"]
    parameters.n_threads_http = HTTP_THREADS
    parameters.cache_ram_mib = CACHE_MIB
    parameters.endpoint_slots = False  # would show prompts
    parameters.ui = False
    parameters.verbosity = 1  # errors only
    server = xllamacpp.Server(parameters)
    return server.listening_address, server


if __name__ == "__main__":
    main()
