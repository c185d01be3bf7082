"""Strangers' plugins, pip-installed beside the host, are found and used without any change to it."""

import json

import pytest

pytestmark = pytest.mark.install

CONFIG = {
    "profiles": {
        "parrot": {"backend": "parrot", "template": "brackets"},
        "sleepy": {"backend": "parrot", "template": "brackets", "model": "sleepy", "failurePolicy": "persistence"},
    }
}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "roleforge-llm.json"
    path.write_text(json.dumps(CONFIG))
    return str(path)


def test_they_are_listed_with_distribution_version_and_what_they_provide(with_theirs):
    assert [
        (row["name"], row["distribution"], row["version"], row["status"], row["provides"])
        for row in with_theirs.json("plugins")[1:]
    ] == [
        ("brackets", "their-brackets", "1.1", "loaded", ["format brackets"]),
        ("parrot", "their-parrot", "1.2", "loaded", ["backend parrot"]),
        ("persistence", "their-persistence", "1.3", "loaded", ["failure policy persistence"]),
    ]


def test_their_format_is_listed_and_rendered(with_theirs):
    assert with_theirs.json("formats")[-1] == {
        "name": "brackets",
        "stop": ["[user]"],
        "control_tokens": [],
        "plugin": "their-brackets",
        "version": "1.1",
    }
    rendered = with_theirs.json("render", "--format", "brackets", "--system", "S", "--user", "Hi")
    assert rendered == {"format": "brackets", "text": "[system]S\n[user]Hi\n[assistant]", "stop": ["[user]"]}


def test_their_backend_answers_in_their_format(with_theirs, config):
    reply = with_theirs.json("chat", "Hi", "--config", config, "--profile", "parrot")
    assert (reply["text"], reply["profile"], reply["format"]) == ("Squawk! ", "parrot", "brackets")


def test_their_policy_decides(with_theirs, config):
    reply = with_theirs.json("chat", "Hi", "--config", config, "--profile", "sleepy")
    assert [(attempt["number"], attempt["ok"], attempt["waited"]) for attempt in reply["attempts"]] == [
        (1, False, 0.0),
        (2, False, 0.0),
        (3, True, 0.0),
    ]
    assert with_theirs.json("plan", "--config", config, "--profile", "sleepy")["max_requests"] == 5


def test_they_are_used_through_the_api(with_theirs):
    found = with_theirs.python(
        "import json, roleforge_llm as rf\n"
        "prompt = rf.render([{'role': 'user', 'content': 'Hi'}], 'brackets')\n"
        "host = rf.PluginHost()\n"
        "print(json.dumps([prompt.text, host.backend('parrot').factory, host.policy('persistence').name]))"
    )
    assert found == ["[user]Hi\n[assistant]", "their_parrot.backend:Parrot", "persistence"]


def test_a_disabled_plugin_is_named_where_it_is_missed(with_theirs, config):
    off = {"ROLEFORGE_LLM_DISABLE_PLUGINS": "their-brackets"}
    assert [row["name"] for row in with_theirs.json("formats", **off)] == ["alpaca", "chatml", "llama2", "vicuna"]
    statuses = {row["name"]: row["status"] for row in with_theirs.json("plugins", **off)}
    assert statuses == {"builtin": "loaded", "brackets": "disabled", "parrot": "loaded", "persistence": "loaded"}
