"""What beginning costs, in modules that are loaded, folders that are read and bytes that are allocated."""

import json
import os
import subprocess
import sys

import pytest

from roleforge_llm.testing import FaultServer

HELLO = '[{"role": "user", "content": "Hello."}]'
IMPORT = "import roleforge_llm"
RENDER = f"import roleforge_llm as rf; rf.render({HELLO})"
COMMAND = """
import contextlib, io
from roleforge_llm.cli import cli
with contextlib.redirect_stdout(io.StringIO()):
    cli.main(["formats"], standalone_mode=False)
"""
REPLY = f"""
import roleforge_llm as rf
with rf.Client({{"profiles": {{"p": {{"type": "openai", "baseURL": "ADDRESS", "model": "model"}}}}}}) as client:
    client.complete({HELLO})
"""
SDK = f"""
import openai
with openai.OpenAI(base_url="ADDRESS", api_key="key", max_retries=0) as client:
    client.chat.completions.create(model="model", messages={HELLO})
"""

OURS = {"roleforge_llm", "roleforge_llm_builtin"}
TO_RENDER = {"attr", "attrs", "jinja2", "markupsafe", "pluggy"}
SLOW = {"asyncio", "difflib", "email", "importlib.metadata", "packaging", "ssl", "subprocess", "tomllib"}
"""Modules that take milliseconds to load, and that nothing of this needs."""


def run(code, *arguments):
    """What *code* prints as JSON, in a process with the built-in plugins alone."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "ROLEFORGE_LLM_DISABLE_PLUGINS": "*"},
    )
    return json.loads(done.stdout)


def loaded_by(code):
    """The modules that *code* loads."""
    return set(
        run(
            f"import json, sys\nbefore = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
        )
    )


def foreign(modules):
    """The libraries among *modules*."""
    return {name.partition(".")[0] for name in modules} - OURS - set(sys.stdlib_module_names)


@pytest.fixture
def url():
    with FaultServer() as server:
        yield server.session(["ok"] * 2).base_url


def test_importing_loads_nothing_but_the_package():
    modules = loaded_by(IMPORT)
    assert {name for name in modules if name.partition(".")[0] in OURS} == {
        "roleforge_llm",
        "roleforge_llm._loading",
        "roleforge_llm._version",
    }
    assert not foreign(modules)


@pytest.mark.parametrize(
    ("code", "libraries"),
    [(RENDER, TO_RENDER), (COMMAND, TO_RENDER - {"jinja2", "markupsafe"} | {"click"})],
    ids=["a prompt", "the list of formats"],
)
def test_a_first_result_loads_only_what_it_needs(code, libraries):
    modules = loaded_by(code)
    assert foreign(modules) == libraries
    assert not modules & SLOW
    assert len([name for name in modules if name.startswith("roleforge_llm")]) <= 60


def test_a_first_prompt_loads_nothing_of_calls():
    modules = loaded_by(RENDER)
    assert not {f"roleforge_llm.{name}" for name in ("attempts", "backends", "client", "config", "profiles")} & modules
    assert "logging" not in modules


def test_a_first_reply_loads_little_more_than_the_sdk_does(url):
    theirs = loaded_by(SDK.replace("ADDRESS", url))
    more = loaded_by(REPLY.replace("ADDRESS", url)) - theirs
    assert foreign(more) == {"attr", "attrs", "cattrs", "pluggy"}
    assert not more & {*SLOW, "roleforge_llm.sandbox", "roleforge_llm.guard", "roleforge_llm.formats.model"}
    assert len([name for name in more if name.partition(".")[0] in OURS]) <= 110
    assert {name.partition(".")[0] for name in more} & set(sys.stdlib_module_names) <= {"gc"}


def test_certificates_are_read_for_https_alone(url):
    code = REPLY.replace("ADDRESS", url) + "\nimport gc, json, ssl\n"
    assert run(code + "print(json.dumps(sum(isinstance(each, ssl.SSLContext) for each in gc.get_objects())))") == 0


def test_the_collector_rests_while_libraries_are_loaded():
    code = """
import gc, json
import roleforge_llm as rf
before = sum(each["collections"] for each in gc.get_stats())
rf.Client, rf.render
during = sum(each["collections"] for each in gc.get_stats()) - before
print(json.dumps([during, gc.isenabled()]))
"""
    collections, is_enabled = run(code)
    assert collections <= 2
    assert is_enabled


def test_installed_distributions_are_looked_through_once_in_a_process(tmp_path):
    code = f"""
import collections, json, os, sys
listed = collections.Counter()
sys.addaudithook(lambda name, args: listed.update([str(args[0])]) if name in ("os.listdir", "os.scandir") else None)
sys.path.append(sys.argv[1])
{RENDER}
rf.render({HELLO}, "alpaca")
for _ in range(3):
    rf.Client({{"profiles": {{"p": {{"type": "openai", "baseURL": "http://localhost:1", "model": "m"}}}}}}).plan()
rf.PluginHost()
{COMMAND}
print(json.dumps(listed[sys.argv[1]]))
"""
    for number in range(300):
        folder = tmp_path / f"distribution_{number}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: distribution-{number}\nVersion: 1.0\n")
    # the import system itself reads each folder of the path once
    assert run(code, str(tmp_path)) == 2


ALLOCATED = """
import json, tracemalloc
tracemalloc.start()
{code}
print(json.dumps(tracemalloc.get_traced_memory()[0] / 2**20))
"""


def test_importing_all_that_is_public_takes_little_memory():
    assert run(ALLOCATED.format(code="from roleforge_llm import *")) <= 16


def test_a_hundred_profiles_take_little_memory():
    code = """
import roleforge_llm
def client(count):
    names = [f"p{{number}}" for number in range(count)]
    profile = {{"type": "openai", "baseURL": "http://localhost:1/v1", "apiKey": "key"}}
    made = roleforge_llm.Client({{"profiles": {{name: {{**profile, "model": name}} for name in names}}}})
    for name in names:
        made.plan(name)
    return made
client(1)
tracemalloc.clear_traces()
kept = client(100)
""".format()
    assert run(ALLOCATED.format(code=code)) <= 1
