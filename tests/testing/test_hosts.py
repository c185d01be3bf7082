"""A host that sees only the plugins it is given."""

import types

import pytest

import roleforge_llm as rf
from roleforge_llm.testing import ScriptedBackend
from roleforge_llm.testing import plugin_host as host_of
from tests.testing.test_format_conformance import Turns


class Plugin:
    @rf.hookimpl
    def roleforge_formats(self):
        return [Turns()]


class Misspelt:
    @rf.hookimpl
    def roleforge_format(self):
        return []


class Fails:
    @rf.hookimpl
    def roleforge_formats(self):
        raise OSError("the templates are gone")


def test_it_sees_the_given_plugins_and_nothing_that_is_installed(plugin_host):
    host = plugin_host(Plugin())
    assert list(host.format_names()) == ["turns"]
    assert [record.name for record in host.records] == ["Plugin"]


def test_the_fixture_and_the_function_are_the_same(plugin_host):
    assert plugin_host is host_of


def test_a_module_is_a_plugin_too(plugin_host):
    module = types.ModuleType("their_module")
    module.roleforge_formats = rf.hookimpl(lambda: [Turns()])
    assert list(plugin_host(module).format_names()) == ["turns"]


def test_with_the_built_in_plugins_a_client_can_use_it(plugin_host):
    class Backends:
        @rf.hookimpl
        def roleforge_backends(self):
            return [ScriptedBackend("Hello.").spec()]

    host = plugin_host(Backends(), builtin=True)
    loaded = {record.distribution for record in host.records if record.status == "loaded"}
    assert loaded == {"", "roleforge-llm"}
    config = rf.Config({"p": rf.Profile("p", backend="scripted")}, default_profile="p")
    with rf.Client(config, host) as client:
        assert client.complete([{"role": "user", "content": "Hi"}]).text == "Hello."


def test_every_plugin_that_is_not_loaded_fails_the_test_with_its_error(plugin_host):
    with pytest.raises(AssertionError) as caught:
        plugin_host(Misspelt(), Plugin(), Fails())
    assert str(caught.value).splitlines() == [
        "not every plugin could be loaded",
        "  the plugin Misspelt failed: unknown hook roleforge_format; did you mean roleforge_formats?",
        "  the plugin Fails failed: roleforge_formats: OSError: the templates are gone",
    ]


def test_a_plugin_that_the_environment_disables_fails_it_too(plugin_host, monkeypatch):
    monkeypatch.setenv("ROLEFORGE_LLM_DISABLE_PLUGINS", "Plugin")
    with pytest.raises(AssertionError, match="Plugin is disabled"):
        plugin_host(Plugin())


def test_a_built_in_name_is_taken_only_where_it_is_overridden(plugin_host):
    class Chatml(Plugin):
        @rf.hookimpl
        def roleforge_formats(self):
            found = Turns()
            found.name = "chatml"
            return [found]

    with pytest.raises(AssertionError, match="is conflict"):
        plugin_host(Chatml(), builtin=True)
    assert isinstance(plugin_host(Chatml(), builtin=True, overridden=["chatml"]).format("chatml"), Turns)
