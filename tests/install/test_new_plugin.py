"""What ``new-plugin`` writes installs, passes its own tests, and works, for every kind of plugin."""

import json
import tarfile
from pathlib import Path

import pytest

from roleforge_llm.testing import FaultServer, Reply, Stream
from tests.install.conftest import run

pytestmark = pytest.mark.install

ROOT = Path(__file__).parents[2]
KINDS = {
    "format": "format my-format",
    "backend": "backend my-backend",
    "policy": "failure policy my-policy",
    "command": "command my-command",
}


@pytest.fixture(scope="module")
def environment(new_environment, our_wheel, build):
    """Our wheel, with which a plugin of each kind was written, and the wheels of these."""
    environment = new_environment()
    environment.install(our_wheel)
    made = [environment.json("new-plugin", f"my-{kind}", "--kind", kind)["directory"] for kind in KINDS]
    environment.install(*map(build, made))
    return environment


@pytest.fixture
def config(tmp_path):
    """Writes a configuration and gives its path."""

    def writing(**profiles):
        path = tmp_path / "roleforge-llm.json"
        path.write_text(json.dumps({"profiles": profiles}))
        return str(path)

    return writing


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_pass_as_they_were_written(environment, kind):
    folder = environment.folder / f"roleforge-llm-my-{kind}"
    # -P: the package is the installed one, not the folder beside the tests.
    output = run(environment.bin / "python", "-P", "-m", "pytest", "-q", "-W", "error", cwd=folder)
    assert " passed" in output
    assert "skipped" not in output


def test_each_is_listed_as_loaded(environment):
    rows = {row["name"]: row for row in environment.json("plugins")}
    assert list(rows) == ["builtin", *sorted(f"my-{kind}" for kind in KINDS)]
    for kind, provided in KINDS.items():
        row = rows[f"my-{kind}"]
        assert (row["status"], row["error"], row["version"]) == ("loaded", None, "0.1.0")
        assert (row["distribution"], row["provides"]) == (f"roleforge-llm-my-{kind}", [provided])


def test_the_format_is_rendered(environment):
    rendered = environment.json("render", "--format", "my-format", "--user", "Hello!", "--assistant", "Hi")
    assert rendered["text"] == "<|user|>\nHello!<|end|>\n<|assistant|>\nHi"


def test_the_backend_gets_a_reply_in_the_format_whole_and_streamed(environment, config):
    whole = Reply(json={"text": "Hello.", "finish_reason": "stop"})
    pieces = Stream([{"text": "Hel"}, {"text": "lo."}, {"text": "", "finish_reason": "stop"}])
    with FaultServer(lambda request: (pieces if request.json["stream"] else whole)(request)) as server:
        path = config(main={"backend": "my-backend", "baseURL": server.base_url, "template": "my-format"})
        assert environment.json("chat", "Hi", "--no-stream", "--config", path)["text"] == "Hello."
        assert environment.roleforge("chat", "Hi", "--config", path) == "Hello.\n"
    assert {request.json["prompt"] for request in server.requests} == {"<|user|>\nHi<|end|>\n<|assistant|>\n"}
    assert {request.json["stream"] for request in server.requests} == {True, False}


def test_the_policy_decides(environment, config):
    patience = {"maxRetries": 2, "initialDelayMs": 20, "maxDelayMs": 50}
    with FaultServer(["503", "503", "ok"]) as server:
        path = config(main={"baseURL": server.base_url, "failurePolicy": "my-policy", "retryConfig": patience})
        reply = environment.json("chat", "Hi", "--config", path)
        plan = environment.json("plan", "--config", path)
    assert [attempt["waited"] for attempt in reply["attempts"]] == [0, 0.02, 0.02]
    assert (plan["max_requests"], plan["max_wait_seconds"]) == (3, 0.1)


def test_the_command_runs(environment, config):
    with FaultServer("ok") as server:
        path = config(main={"baseURL": server.base_url})
        assert environment.json("my-command", "Hi", "--config", path) == {"main": "hello world"}


def test_what_is_installed_is_not_written_again(environment):
    with pytest.raises(AssertionError, match="roleforge_llm_my_format is installed already"):
        environment.roleforge("new-plugin", "my-format", "--kind", "format", "--directory", "again")
    assert not (environment.folder / "again").exists()


def test_a_name_of_an_installed_plugin_is_refused_with_its_distribution(with_theirs):
    with pytest.raises(AssertionError, match="the format 'brackets' is offered by their-brackets already"):
        with_theirs.roleforge("new-plugin", "brackets", "--kind", "format")


def test_the_source_distribution_holds_the_files_to_write(build):
    with tarfile.open(build(ROOT, "sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    files = ROOT / "roleforge_llm" / "cli" / "scaffold" / "files"
    assert {path.relative_to(ROOT).as_posix() for path in files.rglob("*.txt")} <= names
