"""Real llama.cpp servers to test against: the embedded engine, or the one that LIVE_LLM_URL names.

LIVE_LLM_URL is a base URL as a profile has it (``http://127.0.0.1:8080/v1``), LIVE_LLM_MODEL and LIVE_LLM_API_KEY
go with it. Tests of exact replies then run only if that server serves the canary model, and tests that kill
servers do not run. Without the engine all are skipped; REQUIRE_LIVE_LLM=1 makes that a failure.
"""

import http.client
import http.server
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import attrs
import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config

EXTERNAL = os.environ.get("LIVE_LLM_URL")
MODELS = ["external"] if EXTERNAL else ["canary", "canary-special"]
DATA = Path(__file__).parents[1] / "data" / "live" / "known_good.json"
CURE = "pip install ./plugins/roleforge-llm-llamacpp"


@attrs.frozen
class LiveServer:
    """A server, and a profile's settings that lead to it. *kill* is None where it is not ours to kill."""

    settings: Mapping[str, object]
    kill: Callable[[], None] | None = None

    def profile(self, **more: Any) -> dict[str, object]:
        """A profile's table for this server at temperature 0; *more* adds to it."""
        return {**self.settings, "sampler": {"temperature": 0, "maxTokens": 300}, **more}


@attrs.frozen
class Case:
    """A conversation whose reply is known: *run_on* is what the model writes when nothing stops it."""

    format: str
    messages: list[dict[str, str]]
    prompt: str
    reply: str
    run_on: str

    @property
    def system(self) -> bool:
        return self.messages[0]["role"] == "system"

    @property
    def turns(self) -> int:
        return sum(message["role"] == "user" for message in self.messages)


def cases(format_name: str) -> list[Case]:
    known = json.loads(DATA.read_text(encoding="utf-8"))[format_name]
    return [Case(format_name, c["messages"], c["prompt"], c["reply"], c["run_on"]) for c in known]


@pytest.fixture(scope="session")
def known_good() -> Callable[[str], list[Case]]:
    return cases


def missing(reason: str) -> NoReturn:
    if os.environ.get("REQUIRE_LIVE_LLM") == "1":
        pytest.fail(f"REQUIRE_LIVE_LLM=1, but {reason}")
    pytest.skip(reason)


def started(model: str) -> LiveServer:
    """A server of our own for one of the canary models."""
    try:
        from roleforge_llm_llamacpp.models import model_file
        from roleforge_llm_llamacpp.server import STARTING, LlamaServer
    except ModuleNotFoundError:
        missing(f"the embedded engine is not installed; run `{CURE}`")
    with STARTING:
        server = LlamaServer(model_file(model))
    try:
        url = server.url(60)
    except rf.BackendError as error:
        missing(str(error))
    return LiveServer({"baseURL": f"{url}/v1", "apiKey": server.key, "model": model}, server.close)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], LiveServer]]:
    """Servers by model, each started once for all tests."""
    made: dict[str, LiveServer] = {}

    def server(model: str) -> LiveServer:
        if model not in made:
            made[model] = outside() if model == "external" else started(model)
        return made[model]

    yield server
    for each in made.values():
        if each.kill is not None:
            each.kill()


def outside() -> LiveServer:
    settings: dict[str, object] = {"baseURL": EXTERNAL, "model": os.environ.get("LIVE_LLM_MODEL", "")}
    if key := os.environ.get("LIVE_LLM_API_KEY"):
        settings["apiKey"] = key
    return LiveServer(settings)


@pytest.fixture(scope="session", params=MODELS)
def any_server(request: pytest.FixtureRequest, servers: Callable[[str], LiveServer]) -> LiveServer:
    """Any server, the canary or not; with the embedded engine once for each canary model."""
    return servers(request.param)


@pytest.fixture(scope="session")
def canary(any_server: LiveServer) -> LiveServer:
    """A server that gives the canned replies."""
    case = cases("chatml")[0]
    with rf.Client(parse_config({"profiles": {"p": any_server.profile(template="chatml")}})) as client:
        if client.complete(case.messages).text != case.reply:
            pytest.skip("the server at LIVE_LLM_URL does not serve the canary model, whose replies are known")
    return any_server


@pytest.fixture
def start() -> Iterator[Callable[[], LiveServer]]:
    """Starts canary servers that a test may kill."""
    if EXTERNAL:
        pytest.skip("kills servers, and the one at LIVE_LLM_URL is not ours to kill")
    with ExitStack() as stack:

        def server() -> LiveServer:
            made = started("canary")
            assert made.kill is not None
            stack.callback(made.kill)
            return made

        yield server


@pytest.fixture
def refusing() -> Iterator[Callable[[], str]]:
    """Base URLs that refuse connections: their ports are held, but nobody listens."""
    with ExitStack() as stack:

        def url() -> str:
            held = stack.enter_context(socket.socket())
            held.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{held.getsockname()[1]}/v1"

        yield url


class CuttingProxy(http.server.ThreadingHTTPServer):
    """Stands before a server and cuts streams: request n breaks off after *cuts[n]* pieces of text.

    Further requests pass untouched. *on_cut* is called before a connection is closed. ``bodies`` are the
    requests that came.
    """

    def __init__(self, server: LiveServer, cuts: Sequence[int], on_cut: Callable[[], None] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), CuttingHandler)
        self.target = urlsplit(str(server.settings["baseURL"]))
        self.server = server
        self.cuts = list(cuts)
        self.on_cut = on_cut
        self.bodies: list[dict[str, Any]] = []

    def profile(self, **more: Any) -> dict[str, object]:
        """A profile's table for the server behind, by way of this proxy."""
        return self.server.profile(**{"baseURL": f"http://127.0.0.1:{self.server_port}{self.target.path}", **more})


class CuttingHandler(http.server.BaseHTTPRequestHandler):
    """One request, whose reply ends when its connection is closed."""

    server: CuttingProxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        cut = self.server.cuts.pop(0) if self.server.cuts else None
        upstream = http.client.HTTPConnection(str(self.server.target.hostname), self.server.target.port, timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": self.headers.get("Authorization", "")}
        upstream.request("POST", self.path, body, headers)
        with upstream.getresponse() as reply:
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.headers["Content-Type"])
            self.end_headers()
            self._relay(reply, cut)
        upstream.close()

    def _relay(self, reply: http.client.HTTPResponse, cut: int | None) -> None:
        pieces = 0
        for line in reply:
            if cut is not None and pieces == cut and line.startswith(b"data:"):
                if self.server.on_cut is not None:
                    self.server.on_cut()
                return
            self.wfile.write(line)
            pieces += b'"text":"' in line and b'"text":""' not in line

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it has above
        pass


@pytest.fixture
def cutting() -> Iterator[Callable[..., CuttingProxy]]:
    """Makes proxies that cut streams."""
    with ExitStack() as stack:

        def proxy(server: LiveServer, cuts: Sequence[int], on_cut: Callable[[], None] | None = None) -> CuttingProxy:
            made = stack.enter_context(CuttingProxy(server, cuts, on_cut))
            thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(made.shutdown)
            return made

        yield proxy
