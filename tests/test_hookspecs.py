"""The hooks that plugins can rely on."""

import inspect

import pluggy
import pytest

from roleforge_llm import hookspecs

HOOKS = {
    "roleforge_formats": [],
    "roleforge_backends": [],
    "roleforge_failure_policies": [],
    "roleforge_classify_error": ["error", "attempt"],
    "roleforge_event": ["event"],
    "roleforge_commands": [],
}
"""Version 1 of the plugin API: hooks may be added, and arguments; none of these may go."""


def specified():
    return {name for name in vars(hookspecs) if name.startswith("roleforge_")}


def test_every_hook_of_version_1_is_there():
    assert hookspecs.API_VERSION == "1"
    assert specified() >= HOOKS.keys()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_keeps_its_arguments(hook):
    assert list(inspect.signature(getattr(hookspecs, hook)).parameters)[: len(HOOKS[hook])] == HOOKS[hook]


@pytest.mark.parametrize("hook", sorted(specified()))
def test_every_hook_is_specified_and_documented(hook):
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    assert getattr(manager.hook, hook).spec is not None
    assert inspect.getdoc(getattr(hookspecs, hook))


@pytest.mark.parametrize("hook", sorted(specified()))
def test_every_argument_of_a_hook_is_explained(hook):
    function = getattr(hookspecs, hook)
    for argument in inspect.signature(function).parameters:
        assert argument in inspect.getdoc(function)


def test_the_first_answer_counts_only_where_it_must():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    first = {name for name in specified() if getattr(manager.hook, name).spec.opts["firstresult"]}
    assert first == {"roleforge_classify_error"}
