"""What holds for one server process. Everything here runs the real engine."""

import asyncio
import gc
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeAlias

import pytest
from roleforge_llm_llamacpp.models import CANARIES, model_file
from roleforge_llm_llamacpp.server import STARTING, LlamaServer

from roleforge_llm import BackendError, InvalidRequest, Timeout

Starter: TypeAlias = Callable[..., LlamaServer]
Process: TypeAlias = "subprocess.Popen[str]"
ParentRunner: TypeAlias = Callable[..., tuple[Process, int]]

linux = pytest.mark.skipif(sys.platform != "linux", reason="watches processes by pidfd")

PROMPT = "<|im_start|>user\nping<|im_end|>\n<|im_start|>assistant\n"

SCRIPT = """
import os, signal, sys
from roleforge_llm_llamacpp.models import model_file
from roleforge_llm_llamacpp.server import STARTING, LlamaServer

def start():
    with STARTING:
        return LlamaServer(model_file("canary"))

server = start()
server.url(60)
print(server.pid, flush=True)
"""


def line_of(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def complete(server: LlamaServer, key: str | None = None) -> str:
    body = json.dumps({"prompt": PROMPT, "temperature": 0, "stop": ["<|im_end|>"]}).encode()
    headers = {"Authorization": f"Bearer {key or server.key}", "Content-Type": "application/json"}
    request = urllib.request.Request(server.url() + "/v1/completions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return str(json.load(reply)["choices"][0]["text"])


def ends(pidfd: int, seconds: float = 20) -> bool:
    """Whether the process behind *pidfd* ends; waits for it without polling."""
    return bool(select.select([pidfd], [], [], seconds)[0])


@pytest.fixture
def parent(_engine: None) -> Iterator[ParentRunner]:
    """Runs SCRIPT plus some code in a process of its own: (process, pidfd of its server)."""
    opened: list[tuple[Process, int]] = []

    def run(code: str = "") -> tuple[Process, int]:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        opened.append((process, os.pidfd_open(int(line_of(process)))))
        return opened[-1]

    yield run
    for process, pidfd in opened:
        process.kill()
        process.communicate()
        os.close(pidfd)


def test_it_answers_on_the_loopback_interface(server: LlamaServer) -> None:
    assert server.url().startswith("http://127.0.0.1:")
    assert complete(server) == "Hello from chatml. Turn 1. System: no."


def test_it_takes_requests_only_with_its_key(server: LlamaServer) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        complete(server, key="guessed")
    caught.value.close()
    assert caught.value.code == 401


def test_connections_that_come_at_once_do_not_wait_for_each_other(server: LlamaServer) -> None:
    """A thread of llama.cpp's that has answered first waits 5 s for another request on the same connection."""
    address = server.url().removeprefix("http://")
    with ExitStack() as stack:
        several = [stack.enter_context(closing(http.client.HTTPConnection(address, timeout=4))) for _ in range(20)]
        for connection in several:
            connection.request("GET", "/health")
        for connection in several:
            assert connection.getresponse().read()


def test_closing_ends_the_process(server: LlamaServer) -> None:
    assert server.alive
    server.close()
    assert not server.alive
    with pytest.raises(OSError, match=r"refused|denied"):
        complete(server)


@linux
def test_the_kernel_ends_it_even_while_no_python_code_can_run(server: LlamaServer) -> None:
    """llama.cpp holds the GIL while it loads a model: closing the pipe must not depend on a thread."""
    server.close()
    assert server._process.returncode == -signal.SIGIO


@linux
@pytest.mark.usefixtures("_engine")
def test_dropping_the_last_reference_ends_the_process() -> None:
    with STARTING:
        server = LlamaServer(model_file("canary"))
    pidfd = os.pidfd_open(server.pid)
    del server
    gc.collect()
    assert ends(pidfd)
    os.close(pidfd)


@linux
def test_it_is_gone_when_its_parent_exits(parent: ParentRunner) -> None:
    process, server = parent()
    assert process.wait(20) == 0
    assert ends(server)


@linux
def test_it_is_gone_when_its_parent_is_killed(parent: ParentRunner) -> None:
    process, server = parent("sys.stdin.read()")
    process.kill()
    assert ends(server)


@linux
def test_it_is_gone_when_its_parent_is_killed_although_a_process_forked_from_that_lives_on(
    parent: ParentRunner,
) -> None:
    process, server = parent("pid = os.fork()\nos.write(1, b'forked\\n')\nsys.stdin.read()")
    assert line_of(process) == line_of(process) == "forked\n"
    process.kill()
    assert ends(server)


@linux
def test_the_end_of_a_forked_process_leaves_it_running(parent: ParentRunner) -> None:
    process, server = parent(
        "if not (pid := os.fork()):\n"
        "    assert not server.alive\n"
        "    server.close()\n"
        "    sys.exit()\n"
        "assert os.waitpid(pid, 0)[1] == 0\n"
        "assert server.alive\n"
        "print('still there', flush=True)\n"
        "sys.stdin.read()"
    )
    assert line_of(process) == "still there\n"
    assert not ends(server, 0)


@linux
def test_a_forked_process_starts_a_server_of_its_own(parent: ParentRunner) -> None:
    process, _ = parent(
        "if not (pid := os.fork()):\n"
        "    own = start()\n"
        "    assert own.url(60) != server.url(60)\n"
        "    sys.exit()\n"
        "print(os.waitpid(pid, 0)[1], flush=True)"
    )
    assert line_of(process) == "0\n"


def test_it_outlives_the_thread_that_started_it(start: Starter) -> None:
    found: list[LlamaServer] = []
    thread = threading.Thread(target=lambda: found.append(start()))
    thread.start()
    thread.join()
    found[0].url(60)
    assert complete(found[0]).startswith("Hello from chatml.")


@linux
def test_ctrl_c_in_the_terminal_does_not_reach_it(server: LlamaServer) -> None:
    assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_killed_server_is_seen_to_be_dead(server: LlamaServer) -> None:
    os.kill(server.pid, signal.SIGTERM)
    server._process.wait(20)
    assert not server.alive


def test_waiting_ends_with_its_limit_and_the_server_goes_on_loading(start: Starter) -> None:
    server = start()
    with pytest.raises(Timeout, match=r"still loading .*tiny-plain\.gguf.* timeouts\.firstToken"):
        server.url(0)
    assert complete(server).startswith("Hello from chatml.")


def test_many_threads_and_tasks_wait_for_the_same_start(start: Starter) -> None:
    server = start()
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(server.url(60))) for _ in range(4)]
    for thread in threads:
        thread.start()

    async def wait() -> list[str]:
        impatient = asyncio.create_task(server.aurl(60))
        await asyncio.sleep(0)
        impatient.cancel()  # one that gives up must not take the start from the others
        return await asyncio.gather(*(server.aurl(60) for _ in range(4)))

    urls = asyncio.run(wait())
    for thread in threads:
        thread.join()
    assert {*found, *urls} == {server.url()}


def test_what_becomes_of_a_server_that_nobody_waits_for_any_longer_is_no_complaint_of_asyncio() -> None:
    complaints: list[object] = []

    async def wait() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        with STARTING:
            server = LlamaServer(model_file("canary"))
        with pytest.raises(Timeout):
            await server.aurl(0)
        server.close()
        with pytest.raises(InvalidRequest):
            await server.aurl(60)

    asyncio.run(wait())
    gc.collect()
    assert complaints == []


def test_an_async_wait_ends_with_its_limit(start: Starter) -> None:
    with pytest.raises(Timeout, match="still loading"):
        asyncio.run(start().aurl(0))


def test_a_damaged_model_is_an_error_that_says_what_llama_cpp_said(start: Starter, tmp_path: Path) -> None:
    damaged = tmp_path / "half.gguf"
    damaged.write_bytes(CANARIES["canary"].read_bytes()[:500_000])
    server = start(str(damaged))
    with pytest.raises(InvalidRequest, match=r"llama\.cpp cannot load .*half\.gguf: .*corrupted or incomplete"):
        server.url(60)
    with pytest.raises(InvalidRequest, match="corrupted or incomplete"):
        asyncio.run(server.aurl(60))


@linux
def test_an_engine_that_dies_while_loading_is_told_with_its_signal(start: Starter) -> None:
    server = start()
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(InvalidRequest, match=r"killed by signal 9 while loading .*enough memory"):
        server.url(60)


@pytest.mark.parametrize(
    ("problem", "cure"),
    [
        ("libgomp.so.1: cannot open shared object file: No such file or directory", "apt-get install libgomp1"),
        ("No module named 'xllamacpp'", "pip install --force-reinstall xllamacpp"),
    ],
)
def test_an_engine_that_cannot_be_imported_is_an_error_with_its_cure(
    problem: str, cure: str, start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text(f"raise ImportError({problem!r})")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    server = start()
    with pytest.raises(BackendError, match=cure) as caught:
        server.url(60)
    assert caught.value.kind == "engine"
