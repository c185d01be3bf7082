"""A plugin for version 1 of the plugin API, which is never changed, works for as long as there is a version 1.

These tests may grow with the host. The plugin (tests/data/plugins/frozen-v1) may not, which its digest holds.
"""

import hashlib
import json

import pytest

from tests.install.conftest import THEIRS

pytestmark = pytest.mark.install

FROZEN = THEIRS / "frozen-v1"
DIGEST = "a578898316afef25463310aac798cea0b98bc8af9fd40b719d492e35e41050ae"

PROFILE = {"backend": "frozen", "template": "frozen", "failurePolicy": "frozen"}
CONFIG = {
    "defaultProfile": "crisp",
    "profiles": {
        "crisp": PROFILE | {"model": "crisp"},
        "north": PROFILE | {"model": "thin", "fallbackProfiles": ["south"]},
        "south": PROFILE | {"model": "thick"},
        "zero": PROFILE | {"model": "thin", "fallbackProfiles": ["south"]},
    },
}
ANSWER = "Ice says: <ice>Hi\n<water>"


@pytest.fixture(scope="module")
def frozen(new_environment, build, our_wheel):
    """An environment with our wheel and the frozen plugin's."""
    environment = new_environment()
    environment.install(our_wheel, build(FROZEN))
    (environment.folder / "roleforge-llm.json").write_text(json.dumps(CONFIG))
    return environment


def chat(environment, profile):
    """The reply, and the lines that the plugin wrote for the events of the call."""
    events = environment.folder / f"events-{profile}"
    reply = environment.json("chat", "Hi", "--profile", profile, FROZEN_EVENTS=str(events))
    return reply, events.read_text().splitlines()


def test_it_has_not_been_changed():
    files = sorted(path for path in FROZEN.rglob("*") if path.suffix in {".py", ".toml", ".jinja"})
    text = b"".join(path.relative_to(FROZEN).as_posix().encode() + path.read_bytes() for path in files)
    assert len(files) == 5
    assert hashlib.sha256(text).hexdigest() == DIGEST


def test_it_is_loaded_with_all_that_it_provides(frozen):
    row = frozen.json("plugins")[1]
    assert row == {
        "name": "frozen",
        "distribution": "frozen-v1",
        "version": "1.0",
        "status": "loaded",
        "provides": [
            "format frozen",
            "format frozen-blocks",
            "backend frozen",
            "failure policy frozen",
            "command frozen",
            "classifies errors",
            "observes events",
        ],
        "error": None,
    }


def test_its_formats_are_rendered(frozen):
    assert frozen.json("render", "--format", "frozen", "--system", "S", "--user", "Hi", "--assistant", "W") == {
        "format": "frozen",
        "text": "<ice>S\n<ice>Hi\n<water>W",
        "stop": ["<ice>"],
    }
    blocks = frozen.json("render", "--format", "frozen-blocks", "--user", "Hi")
    assert blocks["text"] == "[block]user: Hi[block]assistant: "


def test_its_backend_answers_and_its_format_trims_the_reply(frozen):
    reply, _ = chat(frozen, "south")
    assert (reply["text"], reply["profile"], reply["format"]) == (ANSWER.partition("<ice>")[0], "south", "frozen")


def test_its_classifier_names_the_failure_and_its_policy_retries(frozen):
    reply, events = chat(frozen, "crisp")
    assert [(a["number"], a["ok"], a["status"]) for a in reply["attempts"]] == [(1, False, 503), (2, True, None)]
    assert "the ice has cracked on crisp, attempt 1" in reply["attempts"][0]["error"]
    assert events == [
        "attempt-started crisp 1",
        "attempt-failed crisp 1",
        "retry-scheduled crisp 1",
        "attempt-started crisp 2",
        "finished crisp 2",
    ]


def test_its_policy_falls_back(frozen):
    reply, events = chat(frozen, "north")
    assert [(a["profile"], a["number"]) for a in reply["attempts"]] == [("north", 1), ("north", 2), ("south", 1)]
    assert [event.split()[0] for event in events].count("fell-back") == 1


def test_its_policy_routes(frozen):
    reply, events = chat(frozen, "zero")
    assert reply["profile"] == "south"
    assert events == ["attempt-started south 1", "finished south 1"]


def test_its_limits_are_the_plan(frozen):
    assert frozen.json("plan", "--profile", "crisp")["max_requests"] == 3


def test_its_command_runs(frozen):
    assert frozen.roleforge("frozen", "--name", "Ada") == "Cold greetings, Ada!\n"
    assert "Greet from the ice." in frozen.roleforge("--help")


def test_it_streams_and_answers_asyncio(frozen):
    found = frozen.python(
        """
import asyncio, json
import roleforge_llm as rf
messages = [{"role": "user", "content": "Hi"}]
with rf.Client.from_config() as client, client.stream(messages, "south") as stream:
    pieces = list(stream)
async def main():
    async with rf.AsyncClient.from_config() as client:
        whole = (await client.complete(messages, "south")).text
        async with client.stream(messages, "south") as stream:
            return whole, "".join([piece async for piece in stream])
host = rf.PluginHost()
found = [server.name for server in host.backend("frozen").discover()]
print(json.dumps(["".join(pieces), *asyncio.run(main()), found]))
"""
    )
    text = ANSWER.partition("<ice>")[0]
    assert found == [text, text, text, ["frozen"]]
