"""Whatever an installed plugin does wrong, it is recorded against it, and everything else works."""

import re
from textwrap import dedent

import pytest

GOOD = """
    import roleforge_llm as rf

    @rf.hookimpl
    def roleforge_formats():
        return [rf.TemplateFormat.from_text("good-format", "{{ user_message }}!")]
"""

FORMATS = """
    import roleforge_llm as rf

    class Mine(rf.PromptFormat):
        name = "NAME"
        stop = STOP
        def render(self, conversation, variables=None):
            return "x"

    @rf.hookimpl
    def roleforge_formats():
        return OFFERED
"""


def formats(offered, name="mine", stop="()"):
    return dedent(FORMATS).replace("NAME", name).replace("STOP", stop).replace("OFFERED", offered)


def hook(line, body):
    return f"from roleforge_llm import hookimpl\n\n@hookimpl\n{line}\n    {body}\n"


# For each broken plugin: its module, the status that it gets, what the recorded error says. Each names its own
# format "of-<plugin>" somewhere in its source, as a working one would.
BROKEN = {
    "raises": ('X = "of-raises"\nraise RuntimeError("no such device")', "failed", r"RuntimeError: no such device"),
    "exits": ('X = "of-exits"\nimport sys; sys.exit(3)', "failed", r"SystemExit: 3"),
    "kills": (
        'X = "of-kills"\nclass Kill(BaseException): pass\nraise Kill("all")',
        "failed",
        r"\bKill: all$",
    ),
    "wordless": (
        'X = "of-wordless"\nclass E(Exception):\n  def __str__(self): raise SystemExit\nraise E',
        "failed",
        r"E: its text cannot be read",
    ),
    "nameless-error": (
        'X = "of-nameless-error"\nclass M(type):\n  __name__ = property(lambda self: 1 / 0)\n'
        "class E(Exception, metaclass=M): pass\nraise E('boom')",
        "failed",
        r"\bE: boom$",
    ),
    "colourful": ('X = "of-colourful"\nraise OSError("\\x1b[2J\\ud800")', "failed", r"OSError: \\x1b\[2J\\ud800"),
    "interrupts": ('X = "of-interrupts"\nraise KeyboardInterrupt', "failed", r"KeyboardInterrupt"),
    "unspeakable": (
        'X = "of-unspeakable"\nclass E(Exception):\n  def __str__(self): raise ValueError\nraise E',
        "failed",
        r"E: its text cannot be read",
    ),
    "syntax": ('X = "of-syntax"\ndef (:', "failed", r"SyntaxError: .*syntax\.py, line 2"),
    "dependency": ('X = "of-dependency"\nimport absent_package', "failed", r"ModuleNotFoundError: .*absent_package"),
    "misspelt": (
        hook("def roleforge_formatz():", 'return ["of-misspelt"]'),
        "failed",
        r"unknown hook roleforge_formatz; did you mean roleforge_formats\?",
    ),
    "unknown": (
        hook("def roleforge_zzzz():", 'return ["of-unknown"]'),
        "failed",
        r"unknown hook roleforge_zzzz; known: .*roleforge_event",
    ),
    "unmarked": (
        'def roleforge_formats():\n    return ["of-unmarked"]',
        "failed",
        r"roleforge_formats is not marked with @hookimpl$",
    ),
    "unmarked-misspelt": (
        'def roleforge_format():\n    return ["of-unmarked-misspelt"]',
        "failed",
        r"roleforge_format is not marked with @hookimpl; did you mean roleforge_formats\?",
    ),
    "no-function": ('roleforge_formats = ["of-no-function"]', "failed", r"roleforge_formats is no plain function"),
    "async": (hook("async def roleforge_formats():", 'return ["of-async"]'), "failed", r"roleforge_formats is async"),
    "wrapper": (
        hook("def roleforge_formats():", 'yield "of-wrapper"').replace("@hookimpl", "@hookimpl(wrapper=True)"),
        "failed",
        r"roleforge_formats is a wrapper",
    ),
    "defaults": (
        hook("def roleforge_event(event=None):", 'return ["of-defaults"]'),
        "failed",
        r"argument event a default",
    ),
    "star": (hook("def roleforge_event(**event):", 'return ["of-star"]'), "failed", r"takes \*\*event"),
    "argument": (
        hook("def roleforge_classify_error(error, attmpt):", 'return ["of-argument"]'),
        "failed",
        r"takes an unknown argument attmpt; its arguments are error and attempt",
    ),
    "too-many": (
        hook("def roleforge_formats(host):", 'return ["of-too-many"]'),
        "failed",
        r"takes an unknown argument host; it has no arguments",
    ),
    "several": (
        hook("async def roleforge_formatz(): pass\n@hookimpl\nasync def roleforge_formats():", 'return ["of-several"]'),
        "failed",
        r"roleforge_formats is async.*; unknown hook roleforge_formatz",
    ),
    "listing": (
        hook("def roleforge_formats():", 'raise OSError("of-listing")'),
        "failed",
        r"roleforge_formats: OSError: of-listing",
    ),
    "listing-exits": (
        hook("def roleforge_formats():", 'raise SystemExit("of-listing-exits")'),
        "failed",
        r"roleforge_formats: SystemExit",
    ),
    "listing-interrupts": (
        hook("def roleforge_backends():", 'raise KeyboardInterrupt("of-listing-interrupts")'),
        "failed",
        r"roleforge_backends: KeyboardInterrupt",
    ),
    "text": (hook("def roleforge_formats():", 'return "of-text"'), "failed", r"an object of type str, not a list"),
    "none": (hook("def roleforge_formats():", '["of-none"]'), "failed", r"roleforge_formats: it gave None, not a list"),
    "mapping": (
        hook("def roleforge_formats():", 'return {"of-mapping": 1}'),
        "failed",
        r"an object of type dict, not a list",
    ),
    "coroutine": (
        "async def listed(): return ['of-coroutine']\n" + hook("def roleforge_formats():", "return listed()"),
        "failed",
        r"an object of type coroutine, not a list",
    ),
    "endless": (
        hook("def roleforge_formats():", 'while True: yield "of-endless"'),
        "failed",
        r"roleforge_formats: it gave more than 10000 items",
    ),
    "half-way": (
        hook("def roleforge_formats():", 'yield 1; raise OSError("of-half-way")'),
        "failed",
        r"roleforge_formats: OSError: of-half-way$",
    ),
    "number": (
        hook("def roleforge_formats():", 'return len("of-number")'),
        "failed",
        r"roleforge_formats: it gave an object of type int, not a list",
    ),
    "wrong-type": (
        hook("def roleforge_formats():", 'return ["of-wrong-type"]'),
        "failed",
        r"object of type str, which has no name, stop, .*subclass roleforge_llm\.PromptFormat",
    ),
    "wrong-backend": (
        hook("def roleforge_backends():", 'return ["of-wrong-backend"]'),
        "failed",
        r"object of type str, not a BackendSpec",
    ),
    "wrong-policy": (
        hook("def roleforge_failure_policies():", 'return ["of-wrong-policy"]'),
        "failed",
        r"object of type str, not a PolicySpec",
    ),
    "wrong-command": (
        hook("def roleforge_commands():", 'return ["of-wrong-command"]'),
        "failed",
        r"object of type str, not a click\.Command",
    ),
    "text-as-stop": (formats("[Mine()]", "of-text-as-stop", '"###"'), "failed", r"whose stop has the wrong type"),
    "class": (formats("[Mine]", "of-class"), "failed", r"the class Mine, not an object of it"),
    "endless-version": (
        'ROLEFORGE_LLM_API = ">=' + "9" * 5000 + '"\n' + formats("[Mine()]", "of-endless-version"),
        "failed",
        r"is no version specifier",
    ),
    "nameless": (formats("[Mine()]", "") + '# "of-nameless"', "failed", r"whose name is ''"),
    "colon": (formats("[Mine()]", "a:b") + '# "of-colon"', "failed", r"no colon, no slash"),
    "property": (
        formats("[Mine()]", "of-property").replace("stop = ()", "stop = property(lambda self: 1 / 0)"),
        "failed",
        r"ZeroDivisionError",
    ),
    "name-property": (
        formats("[Mine()]").replace('name = "mine"', "name = property(lambda self: 1 / 0)") + '# "of-name-property"',
        "failed",
        r"roleforge_formats: it gave an object of type Mine, which raises ZeroDivisionError",
    ),
    "name-number": (formats("[Mine()]").replace('"mine"', "7") + '# "of-name-number"', "failed", r"whose name is 7"),
    "name-escape": (formats("[Mine()]", r"a\x1b[2J") + '# "of-name-escape"', "failed", r"only printable characters"),
    "name-space": (formats("[Mine()]", " a") + '# "of-name-space"', "failed", r"no space at its ends"),
    "name-long": (formats("[Mine()]", "a" * 201) + '# "of-name-long"', "failed", r"at most 200 characters"),
    "helpless-command": (
        "import click\n" + hook("def roleforge_commands():", 'return [click.Command("of-helpless-command", help=42)]'),
        "failed",
        r"roleforge_commands: it gave an object of type Command, which raises AttributeError",
    ),
    "newest": (
        'X = "of-newest"\nROLEFORGE_LLM_API: str = ">=2"\nfrom roleforge_llm import absent',
        "incompatible",
        r"asks for plugin API >=2, this host has 1; .*; ImportError: .*absent",
    ),
    "old-and-broken": (
        'X = "of-old-and-broken"\nROLEFORGE_LLM_API = ">=1"\nfrom roleforge_llm import absent',
        "failed",
        r"\bImportError: .*absent",
    ),
    "newer": ('ROLEFORGE_LLM_API = ">=2"\nX = "of-newer"', "incompatible", r"asks for plugin API >=2, this host has 1"),
    "number-as-version": (
        'ROLEFORGE_LLM_API = 1\nX = "of-number-as-version"',
        "failed",
        r"= 1 is no version specifier",
    ),
    "no-specifier": ('ROLEFORGE_LLM_API = "two"\nX = "of-no-specifier"', "failed", r"'two' is no version specifier"),
    "builtin-name": (formats("[Mine()]", "chatml"), "conflict", r"format chatml is built in; .*override"),
    "builtin-command": (
        "import click\n" + hook("def roleforge_commands():", 'return [click.Command("chat")]'),
        "conflict",
        r"command chat is built in",
    ),
}

ASKED = """
    import json, warnings
    warnings.simplefilter("ignore")
    import roleforge_llm as rf

    host = rf.PluginHost()
    def ask(name):
        try:
            return str(host.command(name) if name.endswith("command") else host.format(name))
        except rf.PluginError as error:
            return str(error)
    names = {names}
    print(json.dumps({{
        "formats": list(host.format_names()),
        "backends": list(host.backend_names()),
        "policies": list(host.policy_names()),
        "rendered": rf.render([{{"role": "user", "content": "Hi"}}], "good-format", host=host).text,
        "chatml": rf.render([{{"role": "user", "content": "Hi"}}], host=host).text,
        "nobody's": ask("nobody's"),
        "asked": {{name: ask(name) for name in names}},
        "records": {{r.name: [r.distribution, r.version, r.status, r.error] for r in host.records}},
    }}))
"""


@pytest.fixture(scope="module")
def answers(module_site):
    """One environment with all the broken plugins, a good one, and what is asked there."""
    module_site.add("good", GOOD)
    for name, (source, _, _) in BROKEN.items():
        module_site.add(f"bad-{name}", source, version="2.5")
    module_site.add("bad-attribute", 'X = "of-attribute"', entry_point="bad_attribute:absent")
    module_site.add(
        "bad-itself",
        "from roleforge_llm import hookimpl\nclass Plugin:\n  @hookimpl\n  def roleforge_formats(self): return []",
        entry_point="bad_itself:Plugin",
    )
    module_site.add(
        "bad-object",
        'ROLEFORGE_LLM_API = ">=2"\nfrom roleforge_llm import hookimpl\nclass Plugin:\n'
        "  @hookimpl\n  def roleforge_formats(self): return []\nplugin = Plugin()",
        entry_point="bad_object:plugin",
    )
    module_site.add("bad-point", 'X = "of-point"', entry_point="bad point!!")
    return module_site.run(ASKED.format(names=[f"of-{name}" for name in BROKEN]))


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_recorded_with_its_version_and_the_original_error(answers, name):
    _, status, error = BROKEN[name]
    distribution, version, recorded, told = answers["records"][f"bad_{name.replace('-', '_')}"]
    assert (distribution, version, recorded) == (f"bad-{name}", "2.5", status)
    assert re.search(error, told)
    assert "\n" not in told


@pytest.mark.parametrize("name", [name for name, (_, status, _) in BROKEN.items() if status != "conflict"])
def test_asking_for_what_a_broken_plugin_provides_names_plugin_version_and_cause(answers, name):
    told = answers["asked"][f"of-{name}"]
    assert f"bad-{name} 2.5" in told
    assert re.search(BROKEN[name][2].rstrip("$"), told)


def test_an_entry_point_to_nothing_is_recorded(answers):
    assert answers["records"]["bad_attribute"][2:] == [
        "failed",
        "AttributeError: module 'bad_attribute' has no attribute 'absent'",
    ]
    assert answers["records"]["bad_point"][2] == "failed"


def test_an_entry_point_to_a_class_is_told_to_name_an_object(answers):
    assert answers["records"]["bad_itself"][2:] == [
        "failed",
        "roleforge_formats is a method, but the plugin is the class Plugin itself; name an object of the class",
    ]


def test_the_version_that_the_module_of_an_object_asks_for_counts(answers):
    assert answers["records"]["bad_object"][2] == "incompatible"


def test_every_other_plugin_works_beside_all_broken_ones(answers):
    assert answers["records"]["good"] == ["good", "1.0", "loaded", None]
    assert answers["records"]["builtin"][2:] == ["loaded", None]
    assert answers["rendered"] == "Hi!"
    assert {"alpaca", "chatml", "llama2", "vicuna", "good-format"} <= set(answers["formats"])
    assert "openai-compatible" in answers["backends"]
    assert "backoff-then-fallback" in answers["policies"]


def test_a_builtin_format_is_never_replaced_unasked(answers):
    assert answers["chatml"].startswith("<|im_start|>user\nHi")


def test_a_name_that_no_plugin_mentions_is_nobodys_fault(answers):
    assert answers["nobody's"] == "None"


def test_what_a_plugin_prints_stays_off_stdout(site):
    site.add("chatty", 'print("imported")\n' + hook("def roleforge_formats():", 'print("listed"); return []'))
    process = site.start(
        "import roleforge_llm as rf\nprint([r.status for r in rf.PluginHost().records if r.name == 'chatty'])"
    )
    out, err = process.communicate(timeout=60)
    assert out == "['loaded']\n"
    assert {"imported", "listed"} <= set(err.split())


MISHANDLED = {
    "wrapped": 'import io\nwrapped = io.TextIOWrapper(sys.stdout.buffer, "utf-8")\ndel wrapped',
    "replaced": "sys.stdout = sys.stderr = None",
    "closed": "sys.stdout.close(); sys.stderr.close()",
    "detached": "sys.stdout.detach(); sys.stderr.detach()",
}


@pytest.mark.parametrize("name", MISHANDLED)
def test_what_a_plugin_does_to_the_streams_is_undone(site, name):
    site.add("careless", f"import sys\nprint('imported')\n{MISHANDLED[name]}\n" + GOOD.replace("\n    ", "\n"))
    code = """
        import sys, roleforge_llm as rf
        streams = sys.stdout, sys.stderr
        print([r.status for r in rf.PluginHost().records if r.name == "careless"])
        assert (sys.stdout, sys.stderr) == streams
        print("told", file=sys.stderr)
    """
    process = site.start(code)
    assert process.communicate(timeout=60) == ("['loaded']\n", "imported\ntold\n")


def test_a_stream_that_a_plugin_keeps_still_leads_to_stderr(site):
    site.add("keeping", "import logging, sys\nlogging.basicConfig(stream=sys.stdout)\n" + GOOD.replace("\n    ", "\n"))
    process = site.start("import logging, roleforge_llm as rf\nrf.PluginHost()\nlogging.error('later')\nprint('out')")
    assert process.communicate(timeout=60) == ("out\n", "ERROR:root:later\n")


def test_a_distribution_that_has_lost_its_metadata_is_named_by_its_folder(site):
    site.add("lost-one", GOOD, version="1.5")
    site.add("lost-two", hook("def roleforge_formats():", "return 1"), version="2.5")
    for info in site.folder.glob("lost*/METADATA"):
        info.unlink()
    records = site.run(
        """
        import json, roleforge_llm as rf
        print(json.dumps([[r.distribution, r.version, r.status] for r in rf.PluginHost().records if "lost" in r.name]))
        """
    )
    assert records == [["lost_one", "1.5", "loaded"], ["lost_two", "2.5", "failed"]]


def test_how_long_a_plugin_takes_is_on_record(site):
    site.add("slow", "import time\ntime.sleep(0.2)\n" + hook("def roleforge_formats():", "time.sleep(0.1); return []"))
    seconds = site.run(
        """
        import json, roleforge_llm as rf
        print(json.dumps({r.name: r.seconds for r in rf.PluginHost().records}))
        """
    )
    assert seconds["slow"] >= 0.3
    assert seconds["builtin"] > 0


def test_entry_points_that_cannot_be_read_hide_no_plugin(site):
    site.add("good", GOOD)
    site.add("garbled", "")
    (site.folder / "garbled-1.0.dist-info" / "entry_points.txt").write_text("[roleforge_llm]\nno equals sign\n")
    site.add("stranger", "")
    (site.folder / "stranger-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\nno equals sign\n")
    records = site.run(
        """
        import json, roleforge_llm as rf
        print(json.dumps({r.name: [r.status, r.error] for r in rf.PluginHost().records}))
        """
    )
    assert records["good"] == ["loaded", None]
    assert records["builtin"] == ["loaded", None]
    assert records["garbled"][0] == "failed"
    assert "entry points cannot be read" in records["garbled"][1]
    assert "stranger" not in records
