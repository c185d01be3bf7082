"""Whatever an installed plugin does wrong, the others and every command work, and its error is told.

Each plugin here is a distribution of its own, built as a wheel and installed by pip. All of them stand beside each
other, which is the hardest case; then each stands alone with a healthy one.
"""

import json
import re
import socket
import sys
from textwrap import dedent
from typing import NamedTuple

import pytest

from tests.install.conftest import run

pytestmark = pytest.mark.install


class Case(NamedTuple):
    """A plugin's module, the status that it gets, its error, and a format (or whatever *asks*) that it mentions."""

    source: str
    status: str
    error: str | None = None
    asks: str = "format"


HOOK = """
from roleforge_llm import BackendSpec, PolicySpec, TemplateFormat, hookimpl
"""


def formats(body, line="def roleforge_formats():"):
    return f"{HOOK}\n@hookimpl\n{line}\n    {body}\n"


def offering(name):
    return formats(f'return [TemplateFormat.from_text("{name}", "{{{{ user_message }}}}!")]')


CASES = {
    "healthy": Case(offering("of-healthy"), "loaded"),
    "raises": Case(
        'NAME = "of-raises"\nraise RuntimeError("no such device")', "failed", "RuntimeError: no such device"
    ),
    "exits": Case('NAME = "of-exits"\nimport sys\nsys.exit("bye")', "failed", "SystemExit: bye"),
    "kills": Case(
        'NAME = "of-kills"\nclass Killed(BaseException): pass\nraise Killed("by the plugin")',
        "failed",
        "Killed: by the plugin",
    ),
    "interrupts": Case('NAME = "of-interrupts"\nraise KeyboardInterrupt', "failed", "KeyboardInterrupt"),
    "syntax": Case('NAME = "of-syntax"\ndef broken(:\n', "failed", r"SyntaxError: .*of_syntax\.py, line 2"),
    "dependency": Case(
        'NAME = "of-dependency"\nimport absent_package', "failed", "ModuleNotFoundError: .*'absent_package'"
    ),
    "misspelt": Case(
        formats('return ["of-misspelt"]', "def roleforge_fromats():"),
        "failed",
        r"unknown hook roleforge_fromats; did you mean roleforge_formats\?",
    ),
    "async": Case(
        formats('return ["of-async"]', "async def roleforge_formats():"), "failed", "roleforge_formats is async"
    ),
    "defaults": Case(
        formats('return ["of-defaults"]', "def roleforge_event(event=None):"), "failed", "argument event a default"
    ),
    "wrong-type": Case(formats('return {"of-wrong-type": 1}'), "failed", "type dict, not a list"),
    "forgetful": Case(formats('["of-forgetful"]'), "failed", "it gave None, not a list"),
    "wrong-backend": Case(
        formats('return ["of-wrong-backend"]', "def roleforge_backends():"),
        "failed",
        "type str, not a BackendSpec",
        "backend",
    ),
    "late": Case(
        formats('return [BackendSpec("of-late", "of_late:missing")]', "def roleforge_backends():")
        + "def __getattr__(name):\n    if name == 'missing':\n        raise SystemExit('too late')\n"
        "    raise AttributeError(name)\n",
        "loaded",
        None,
        "backend",
    ),
    "wrong-policy": Case(
        formats('return [PolicySpec("of-wrong-policy", None, None)]', "def roleforge_failure_policies():"),
        "failed",
        "factory or limits that cannot be called",
        "policy",
    ),
    "wrong-command": Case(
        formats('return ["of-wrong-command"]', "def roleforge_commands():"), "failed", "not a click.Command", "command"
    ),
    "listing": Case(formats('raise OSError("of-listing")'), "failed", "roleforge_formats: OSError: of-listing"),
    "half-way": Case(
        formats('yield TemplateFormat.from_text("of-half-way", "x"); raise OSError("tired")'),
        "failed",
        "roleforge_formats: OSError: tired",
    ),
    "endless": Case(formats('while True: yield "of-endless"'), "failed", "it gave more than 10000 items"),
    "slow": Case("import os, time\ntime.sleep(float(os.environ.get('SLOW', 0)))" + offering("of-slow"), "loaded"),
    "printing": Case(
        dedent("""
        import atexit, os, sys, threading
        print("printed on import")
        threading.Thread(target=print, args=["printed in a thread"]).start()
        print("told on import", file=sys.stderr)
        os.write(1, b"written on import")
        atexit.register(print, "printed at exit")
        atexit.register(os.write, 1, b"written at exit")
        """)
        + offering("of-printing")
        + '@hookimpl\ndef roleforge_event(event):\n    print("printed in a call", event.kind)\n',
        "loaded",
    ),
    "closing": Case(
        'import io, sys\nio.TextIOWrapper(sys.stdout.buffer, "utf-8")\nsys.stdout.close()\nsys.stderr.close()\n'
        "sys.stdout = sys.stderr = None\n" + offering("of-closing"),
        "loaded",
    ),
    "usurper": Case(offering("chatml"), "conflict", "format chatml is built in"),
    "twin": Case(offering("of-twins"), "conflict", "format of-twins is offered by its-twin"),
    "its-twin": Case(offering("of-twins"), "conflict", "format of-twins is offered by twin"),
    "newer": Case(
        'NAME = "of-newer"\nROLEFORGE_LLM_API = ">=2"\nfrom roleforge_llm import something_new',
        "incompatible",
        "asks for plugin API >=2, this host has 1; .*something_new",
    ),
    "by-environment": Case(offering("of-by-environment"), "disabled"),
    "by-configuration": Case(offering("of-by-configuration"), "disabled"),
}
GIVING = ["healthy", "slow", "printing", "closing"]
BROKEN = [name for name, case in CASES.items() if case.status in {"failed", "incompatible"}]

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "2.5"
dependencies = ["roleforge-llm>=0.1.0.dev0"]
[project.entry-points.roleforge_llm]
{name} = "of_{module}"
[tool.hatch.build.targets.wheel]
only-include = ["of_{module}.py"]
"""

BUILD = """
import sys
from hatchling.builders.wheel import WheelBuilder
for folder in sys.argv[2:]:
    list(WheelBuilder(folder).build(directory=sys.argv[1]))
"""


def project(folder, name, source):
    module = name.replace("-", "_")
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT.format(name=name, module=module))
    (folder / f"of_{module}.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def beside_all(tmp_path_factory, new_environment, our_wheel):
    """An environment with our wheel and all these plugins, with a configuration whose one server is gone."""
    folder = tmp_path_factory.mktemp("plugins")
    sources = [project(folder / name, name, case.source) for name, case in CASES.items()]
    run(sys.executable, "-c", BUILD, folder, *sources, cwd=folder)
    environment = new_environment()
    environment.install(our_wheel, *folder.glob("*.whl"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        dead = {"baseURL": base_url, "template": "of-healthy", "retryConfig": {"maxRetries": 0}}
        written = {"profiles": {"dead": dead}, "plugins": {"disable": ["by-configuration"]}}
        (environment.folder / "roleforge-llm.json").write_text(json.dumps(written))
        yield environment


OFF = {"ROLEFORGE_LLM_DISABLE_PLUGINS": "by-environment"}
MESSAGES = '[{"role": "user", "content": "Hi"}]'

COMMANDS = {
    "help": (["--help"], 0, "check-format"),
    "formats": (["formats"], 0, r"of-healthy .*healthy 2\.5"),
    "formats --json": (["formats", "--json"], 0, '"of-healthy"'),
    "render": (["render", "--format", "of-healthy", "--user", "Hi"], 0, "Hi!"),
    "render --json": (["render", "--format", "of-healthy", "--user", "Hi", "--json"], 0, '"text": "Hi!"'),
    "explain --json": (["explain", "Hi", "--json"], 0, '"prompt": "Hi!"'),
    "plan --json": (["plan", "--json"], 0, '"max_requests": 1'),
    "plugins": (["plugins"], 0, r"healthy +healthy +2\.5 +loaded"),
    "config check": (["config", "check"], 0, ""),
    "config show --json": (["config", "show", "--json"], 0, '"of-healthy"'),
    "config path": (["config", "path"], 0, "roleforge-llm.json"),
    "chat --json": (["chat", "Hi", "--json"], 1, '"error"'),
    "check-format --json": (
        ["check-format", "of-healthy", "--against", "template.jinja", "--json"],
        1,
        '"equal": false',
    ),
    "init": (["init", "--config", "first.json"], 0, ""),
    "new-plugin --json": (["new-plugin", "acme", "--kind", "format", "--json"], 0, '"files"'),
    "demo": (["demo"], 2, ""),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works_beside_all_of_them(beside_all, command):
    arguments, code, shown = COMMANDS[command]
    template = "{% for message in messages %}{{ message.content }}!{% endfor %}"
    (beside_all.folder / "template.jinja").write_text(template)
    done = beside_all.attempt(*arguments, **OFF)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(shown, done.stdout, re.MULTILINE)
    if "--json" in arguments:
        json.loads(done.stdout)


@pytest.fixture(scope="module")
def rows(beside_all):
    return {row["name"]: row for row in beside_all.json("plugins", SLOW="0.6", **OFF)}


@pytest.mark.parametrize("name", CASES)
def test_each_is_listed_with_distribution_version_status_and_the_original_error(rows, name):
    row = rows[name]
    assert (row["distribution"], row["version"], row["status"]) == (name, "2.5", CASES[name].status)
    if CASES[name].error is None:
        assert row["error"] is None
    else:
        assert re.search(CASES[name].error, row["error"])
        assert "\n" not in row["error"]


def test_a_plugin_that_makes_every_command_slow_is_told_to_be_why(rows, beside_all):
    assert [name for name, row in rows.items() if row.get("seconds", 0) > 0.6] == ["slow"]
    done = beside_all.attempt("plugins", SLOW="0.6", **OFF)
    assert re.search(r"^warning: slow: loading it takes 0\.[67] s of every command$", done.stderr, re.MULTILINE)


def test_the_error_of_each_is_told_to_people_too(beside_all):
    told = beside_all.attempt("plugins", **OFF).stderr
    for name in BROKEN:
        assert re.search(f"^warning: {name}: .*{CASES[name].error}", told, re.MULTILINE)


ASK = """
import json, sys, warnings
warnings.simplefilter("ignore")
import roleforge_llm as rf
cases = json.loads(sys.argv[1])
def ask(host, name, kind):
    try:
        found = getattr(host, kind)(name)
    except rf.PluginError as error:
        return str(error)
    return None if found is None else found.name
def told(host):
    rendered = rf.render([{"role": "user", "content": "Hi"}], "of-healthy", host=host).text
    names = {*host.format_names(), *host.backend_names(), *host.policy_names(), *(c.name for c in host.commands())}
    records = {record.name: [record.status, record.error] for record in host.records}
    return {"rendered": rendered, "names": sorted(names), "records": records}
def alone(name):
    host = rf.PluginHost(disabled=[other for other in cases if other not in ("healthy", name)])
    return {"asked": ask(host, f"of-{name}", cases[name])} | told(host)
host = rf.PluginHost(disabled=["by-environment", "by-configuration"])
together = {name: ask(host, f"of-{name}", kind) for name, kind in cases.items()}
twins = [ask(host, f"{name}of-twins", "format") for name in ("", "twin:", "its-twin:")]
together = {"asked": together, "twins": twins, "chatml": rf.render([{"role": "user", "content": "Hi"}], host=host).text}
with open("answers.json", "w") as file:  # on stdout a plugin may write, too
    json.dump({"together": together | told(host), "alone": {name: alone(name) for name in cases}}, file)
"""


@pytest.fixture(scope="module")
def answers(beside_all):
    """What a host answers with all of them, and one for each that has all others disabled but the healthy one."""
    cases = json.dumps({name: case.asks for name, case in CASES.items()})
    run(beside_all.bin / "python", "-c", ASK, cases, cwd=beside_all.folder)
    return json.loads((beside_all.folder / "answers.json").read_text())


@pytest.mark.parametrize("name", BROKEN)
def test_asking_for_what_a_broken_plugin_provides_names_it_and_its_error(answers, name):
    for told in (answers["together"]["asked"][name], answers["alone"][name]["asked"]):
        assert f"{name} ({name} 2.5)" in told
        assert re.search(CASES[name].error, told)


@pytest.mark.parametrize("name", CASES)
def test_alone_it_has_the_same_status_and_costs_the_others_nothing(answers, name):
    found = answers["alone"][name]
    # Nobody disables it here, and its twin is not there.
    free = CASES[name].status == "disabled" or "twin" in name
    assert found["records"][name][0] == ("loaded" if free else CASES[name].status)
    assert found["records"]["healthy"] == found["records"]["builtin"] == ["loaded", None]
    assert found["rendered"] == "Hi!"
    assert {"alpaca", "chatml", "of-healthy", "openai-compatible", "backoff-then-fallback"} <= set(found["names"])


def test_what_the_others_provide_is_there(answers):
    assert {f"of-{name}" for name in GIVING} <= set(answers["together"]["names"])
    assert answers["together"]["chatml"].startswith("<|im_start|>user\nHi")


def test_a_name_of_two_plugins_is_an_error_that_names_both_and_each_is_reached(answers):
    shared, *each = answers["together"]["twins"]
    assert "its-twin (its-twin 2.5) and twin (twin 2.5)" in shared
    assert each == ["of-twins", "of-twins"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["render", "--format", "of-raises", "--user", "Hi"], "raises (raises 2.5), which failed: RuntimeError"),
        (["render", "--format", "of-by-environment", "--user", "Hi"], "by-environment 2.5), which is disabled"),
        (["render", "--format", "of-by-configuration", "--user", "Hi"], "by-configuration 2.5), which is disabled"),
        (["render", "--format", "of-twins", "--user", "Hi"], "write its-twin:of-twins or twin:of-twins"),
        (["of-wrong-command"], "wrong-command (wrong-command 2.5), which failed"),
        (["chat", "Hi", "--config", "broken.json"], "wrong-backend (wrong-backend 2.5), which failed"),
        (["config", "check", "--config", "broken.json"], "wrong-policy (wrong-policy 2.5), which failed"),
        (["chat", "Hi", "--config", "late.json"], "of late (late 2.5) cannot be made by of_late:missing: SystemExit"),
    ],
)
def test_a_command_that_needs_a_missing_plugin_says_so_in_one_line(beside_all, arguments, told):
    profile = {"backend": "of-wrong-backend", "model": "m", "failurePolicy": "of-wrong-policy"}
    broken = {"profiles": {"broken": profile}}
    (beside_all.folder / "broken.json").write_text(json.dumps(broken))
    late = {"profiles": {"late": {"backend": "of-late", "model": "m"}}}
    (beside_all.folder / "late.json").write_text(json.dumps(late))
    done = beside_all.attempt(*arguments, **OFF)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if told in line]
    assert "Traceback" not in done.stderr
    assert line
