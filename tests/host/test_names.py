"""Who gets a name that several plugins offer, and who may not play at all."""

import zipfile
from textwrap import dedent

import click
import pytest

from roleforge_llm.cli import cli
from roleforge_llm.hookspecs import OWN_COMMANDS
from roleforge_llm.host import default_host

FORMAT = """
    import roleforge_llm as rf

    @rf.hookimpl
    def roleforge_formats():
        return [rf.TemplateFormat.from_text(name, "{text}") for name in {names}]
"""

REPORT = """
    import json, os
    import roleforge_llm as rf

    host = rf.PluginHost({arguments})
    def ask(name):
        try:
            found = host.format(name)
            return found and found.text
        except rf.PluginError as error:
            return "error: " + str(error)
    print(json.dumps({{
        "formats": list(host.format_names()),
        "asked": {{name: ask(name) for name in {asked}}},
        "status": {{r.name: r.status for r in host.records}},
        "errors": {{r.name: r.error for r in host.records}},
        "provides": {{r.name: r.provides for r in host.records}},
    }}))
"""


def offer(site, distribution, *names, text=None, **more):
    site.add(distribution, FORMAT.format(text=text or distribution, names=list(names)), **more)


def report(site, asked=(), arguments="", **environment):
    return site.run(REPORT.format(arguments=arguments, asked=list(asked)), **environment)


def test_two_plugins_with_one_name_are_a_conflict_that_names_both(site):
    offer(site, "one", "shared", "only-one")
    offer(site, "two", "shared")
    found = report(site, ["shared", "one:shared", "two:shared", "only-one"])
    assert (found["status"]["one"], found["status"]["two"]) == ("conflict", "conflict")
    assert found["errors"]["one"] == "the format shared is offered by two (two 1.0) too"
    assert found["asked"] == {
        "shared": "error: the format 'shared' is offered by one (one 1.0) and two (two 1.0); "
        "write one:shared or two:shared, or disable one of them",
        "one:shared": "one",
        "two:shared": "two",
        "only-one": "one",
    }
    assert "shared" not in found["formats"]


def test_a_third_plugin_with_the_name_joins_the_conflict(site):
    for name in ("one", "two", "three"):
        offer(site, name, "shared")
    found = report(site, ["shared", "three:shared"])
    assert "one (one 1.0) and three (three 1.0) and two (two 1.0)" in found["asked"]["shared"]
    assert found["asked"]["three:shared"] == "three"
    assert {found["status"][name] for name in ("one", "two", "three")} == {"conflict"}


def test_disabling_one_ends_the_conflict(site):
    offer(site, "one", "shared")
    offer(site, "two", "shared")
    found = report(site, ["shared"], 'disabled=["two"]')
    assert found["asked"]["shared"] == "one"
    assert (found["status"]["one"], found["status"]["two"]) == ("loaded", "disabled")


def test_a_builtin_name_stays_built_in_and_the_other_is_reachable(site):
    offer(site, "mine", "chatml")
    found = report(site, ["mine:chatml", "roleforge-llm:chatml", "chatml"])
    assert found["status"]["mine"] == "conflict"
    assert found["status"]["builtin"] == "loaded"
    assert found["asked"]["mine:chatml"] == "mine"
    assert found["asked"]["chatml"] == found["asked"]["roleforge-llm:chatml"] != "mine"


def test_a_builtin_name_is_replaced_where_it_is_overridden(site):
    offer(site, "mine", "chatml")
    found = report(site, ["chatml", "mine:chatml"], 'overridden=["chatml"]')
    assert found["asked"] == {"chatml": "mine", "mine:chatml": "mine"}
    assert found["status"]["mine"] == "loaded"


def test_a_plugin_that_offers_a_name_twice_is_told_so(site):
    offer(site, "double", "same", "same")
    found = report(site, ["same"])
    assert found["asked"]["same"] == "double"
    assert found["errors"]["double"] == "it offers the format same twice"


def test_two_entry_points_to_one_module_are_one_plugin(site):
    offer(site, "one", "mine")
    offer(site, "two", "other", entry_point="one")
    found = report(site, ["mine"])
    assert found["asked"]["mine"] == "one"
    assert (found["status"]["one"], found["status"]["two"]) == ("loaded", "conflict")


def test_two_entry_points_of_one_name_are_two_plugins(site):
    offer(site, "one", "mine", point_name="formats")
    offer(site, "two", "yours", point_name="formats")
    assert report(site, ["mine", "yours"])["asked"] == {"mine": "one", "yours": "two"}


@pytest.mark.parametrize("name", ["point", "some-dist", "Some_Dist", "x, some.dist"])
def test_a_plugin_is_disabled_by_its_name_or_its_distributions(site, name):
    offer(site, "some-dist", "mine", point_name="point")
    found = report(site, ["mine"], ROLEFORGE_LLM_DISABLE_PLUGINS=name)
    assert found["status"]["point"] == "disabled"
    assert "mine" not in found["formats"]
    assert "point (some-dist 1.0), which is disabled" in found["asked"]["mine"]


def test_a_disabled_plugin_is_not_imported(site):
    site.add("costly", 'raise SystemExit("imported")')
    found = report(site, (), 'disabled=("costly",)')
    assert (found["status"]["costly"], found["errors"]["costly"]) == ("disabled", None)


def test_a_star_disables_all_installed_plugins_but_the_hosts_own(site):
    offer(site, "one", "mine")
    found = report(site, (), ROLEFORGE_LLM_DISABLE_PLUGINS="*")
    assert found["status"]["one"] == "disabled"
    assert found["status"]["builtin"] == "loaded"
    assert "chatml" in found["formats"]


def test_the_hosts_own_plugin_comes_first_whatever_the_names(site):
    offer(site, "aaa", "aaa")
    names = report(site)["formats"]
    assert names.index("vicuna") < names.index("aaa")


def test_plugins_are_found_only_where_entry_points_are_wanted(site):
    offer(site, "one", "mine")
    found = report(site, (), "entry_points=False")
    assert found["formats"] == []
    assert found["status"] == {}


def test_the_reserved_commands_are_the_command_lines_own():
    added = {command.name for command in default_host().commands()}
    assert set(cli.list_commands(click.Context(cli))) - added == OWN_COMMANDS


def test_the_installed_plugins_are_those_that_python_itself_finds(site):
    offer(site, "one", "mine")
    offer(site, "two-more", "yours", version="2.0rc1", point_name="pt", entry_point="two_more")
    found = site.run(
        """
        import json, sys
        from importlib.metadata import entry_points
        import roleforge_llm as rf
        theirs = {(p.name, p.dist.name, p.dist.version) for p in entry_points(group="roleforge_llm")}
        ours = {(r.name, r.distribution, r.version) for r in rf.PluginHost().records}
        print(json.dumps([ours == theirs, len(ours)]))
        """
    )
    assert found[0]
    assert found[1] >= 3


def test_a_plugin_in_an_archive_on_the_path_is_found(site):
    offer(site, "zipped", "mine")
    archive = site.folder / "archive"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in [*site.folder.glob("zipped*.py"), *site.folder.glob("zipped*/*")]:
            packed.write(path, path.relative_to(site.folder))
            path.unlink()
    found = site.run(
        "import sys; sys.path.insert(0, "
        + repr(str(archive))
        + ")\n"
        + dedent(REPORT).format(arguments="", asked=["mine"])
    )
    assert found["asked"] == {"mine": "zipped"}
    assert found["status"]["builtin"] == "loaded"


def test_the_distribution_before_the_colon_is_spelt_as_pip_takes_it(site):
    offer(site, "Some-One", "shared")
    offer(site, "two", "shared")
    asked = report(site, ["Some-One:shared", "some-one:shared", "some.one:shared"])["asked"]
    assert set(asked.values()) == {"Some-One"}
