"""What comes with the host keeps the rules that the testing kit holds plugins to."""

import pytest

import roleforge_llm as rf
import roleforge_llm_builtin as plugin
from roleforge_llm.testing import (
    ScriptedBackend,
    assert_backend_conforms,
    assert_format_conforms,
    assert_policy_conforms,
    plugin_host,
)

FORMATS = list(plugin.roleforge_formats())
BACKENDS = list(plugin.roleforge_backends())
POLICIES = list(plugin.roleforge_failure_policies())


def named(item):
    return item.name


@pytest.mark.parametrize("form", FORMATS, ids=named)
def test_a_format_conforms(form):
    assert_format_conforms(form)


@pytest.mark.nightly
@pytest.mark.parametrize("form", FORMATS, ids=named)
def test_a_format_conforms_in_a_long_search(form):
    assert_format_conforms(form, examples=5000)


@pytest.mark.parametrize("spec", BACKENDS, ids=named)
def test_a_backend_conforms(spec):
    assert_backend_conforms(spec, speaks="openai")


def test_a_backend_conforms_on_the_completions_endpoint_too():
    spec = rf.BackendSpec("completions", BACKENDS[0].factory, rf.Capabilities(endpoints={"completions"}))
    assert_backend_conforms(spec, speaks="openai")


@pytest.mark.parametrize("spec", POLICIES, ids=named)
def test_a_failure_policy_conforms(spec):
    assert_policy_conforms(spec)


@pytest.mark.nightly
@pytest.mark.parametrize("spec", POLICIES, ids=named)
def test_a_failure_policy_conforms_in_a_long_search(spec):
    assert_policy_conforms(spec, examples=20_000)


def test_the_scripted_backend_of_the_kit_conforms():
    assert_backend_conforms(ScriptedBackend("Hello.").spec())
    assert_backend_conforms(ScriptedBackend(["Hel", "lo."]).spec())


def test_a_host_takes_all_of_it():
    assert plugin_host(plugin).records[0].provides
