"""A plugin's commands, and its code under the host's own commands: one line, the right exit code, no traceback."""

import signal
import sys

import pytest

PLUGIN = """
    import click
    import roleforge_llm as rf

    def command(body):
        return click.Command(body.__name__, callback=body, help="Mine.")

    def crash(): raise ZeroDivisionError("in its callback")
    def number(): return 5
    def leave(): raise SystemExit(7)
    def where(): click.echo(rf.Client.from_config().config.default_profile)

    class Shy(click.Command):
        asked = 0

        def get_short_help_str(self, limit=45):
            Shy.asked += 1
            if Shy.asked > 1:
                raise RuntimeError("only once")
            return "Shy."

    class Ending(rf.PromptFormat):
        name = "ending"
        stop = ()

        def render(self, conversation, variables=None):
            raise SystemExit(0)

    class Moody(rf.PromptFormat):
        name = "moody"
        asked = 0

        @property
        def stop(self):
            Moody.asked += 1
            if Moody.asked > 2:
                raise RuntimeError("not again")
            return ()

        def render(self, conversation, variables=None):
            return ""

    @rf.hookimpl
    def roleforge_formats(): return [Ending(), Moody()]

    @rf.hookimpl
    def roleforge_commands(): return [command(crash), command(number), command(leave), command(where), Shy("shy")]
"""


@pytest.fixture
def roleforge(site):
    def running(*arguments):
        process = site.start(f"from roleforge_llm.cli import main\nmain({list(arguments)!r})")
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    site.add("their-commands", PLUGIN, version="2.5")
    return running


def test_a_command_that_crashes_is_told_with_its_plugin(roleforge):
    code, out, err = roleforge("crash")
    assert (code, out) == (1, "")
    assert err == (
        "error: the command 'crash' of their_commands (their-commands 2.5) failed: "
        "ZeroDivisionError: in its callback; --debug shows where\n"
    )
    assert "in crash" in roleforge("--debug", "crash")[2]


def test_what_a_command_returns_is_no_exit_code_and_what_it_exits_with_is(roleforge):
    assert (roleforge("number")[0], roleforge("leave")[0]) == (0, 7)


def test_a_configuration_named_before_a_plugins_command_is_found_by_its_client(roleforge, tmp_path):
    (tmp_path / "mine.toml").write_text('[profiles.chosen]\nbaseURL = "http://127.0.0.1:9/v1"\n', encoding="utf-8")
    assert roleforge("--config", str(tmp_path / "mine.toml"), "where") == (0, "chosen\n", "")


def test_a_command_that_cannot_be_listed_only_costs_its_own_line(roleforge):
    code, out, err = roleforge("--help")
    assert (code, "crash" in out, "shy" in out) == (0, True, False)
    assert "warning: the command shy cannot be listed: RuntimeError: only once" in err


def test_a_plugin_cannot_end_a_command_of_the_host_in_silence(roleforge):
    code, out, err = roleforge("render", "--format", "ending", "--user", "x")
    assert (code, out) == (1, "")
    assert err == "error: a plugin has tried to end the program, with exit code 0\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process alone")
def test_ctrl_c_tells_which_plugin_hangs(site):
    site.add(
        "their-hang", "import sys, time\nprint('here', file=sys.stderr, flush=True)\ntime.sleep(60)", version="2.5"
    )
    process = site.start("from roleforge_llm.cli import main\nmain(['plugins'])")
    assert process.stderr.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.strip() == (
        "error: interrupted while the plugin their_hang (their-hang 2.5) was loaded; "
        "ROLEFORGE_LLM_DISABLE_PLUGINS=their_hang does without it"
    )


def test_a_format_that_fails_when_it_is_listed_only_costs_its_own_row(roleforge):
    code, out, err = roleforge("formats")
    assert (code, "chatml" in out, "ending" in out) == (0, True, True)
    assert "warning: the prompt format 'moody' cannot be listed: RuntimeError: not again" in err
