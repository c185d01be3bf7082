"""What is public is complete, loads, and is documented."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import roleforge_llm as rf

ROOT = Path(rf.__file__).parent
MODULES = sorted(info.name for info in pkgutil.walk_packages([str(ROOT)], "roleforge_llm."))
LIBRARY = [name for name in MODULES if not name.rpartition(".")[2].startswith("_")]


def is_own(value):
    """Whether *value* is a class or function of ours, as opposed to an alias, a constant or a decorator of click's."""
    return (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__.startswith("roleforge_llm")


def test_everything_public_is_listed_in_order():
    assert rf.__all__ == sorted(rf.__all__)
    assert dir(rf) == rf.__all__


@pytest.mark.parametrize("name", rf.__all__)
def test_every_public_name_loads_and_is_documented(name):
    value = getattr(rf, name)
    assert inspect.getdoc(value) or not is_own(value)


@pytest.mark.parametrize("name", rf.__all__)
def test_type_checkers_see_the_same_names(name):
    """The imports under TYPE_CHECKING and the table of late imports say the same."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.asname: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    assert getattr(importlib.import_module(seen[name]), name) is getattr(rf, name)


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="'roleforge_llm' has no attribute 'Clint'"):
        rf.Clint  # noqa: B018


@pytest.mark.parametrize("name", LIBRARY)
def test_a_modules_public_names_exist(name):
    module = importlib.import_module(name)
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, public) for public in module.__all__)
    assert not any(public.startswith("_") for public in module.__all__)


@pytest.mark.parametrize("name", LIBRARY)
def test_a_modules_public_names_are_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__
    undocumented = [
        public for public in module.__all__ if is_own(value := getattr(module, public)) and not inspect.getdoc(value)
    ]
    assert not undocumented


@pytest.mark.parametrize("name", rf.__all__)
def test_public_methods_are_documented(name):
    value = getattr(rf, name)
    if not inspect.isclass(value):
        return
    undocumented = [
        attribute
        for attribute, found in vars(value).items()
        if not attribute.startswith("_")
        and (inspect.isfunction(found) or isinstance(found, (property, classmethod)))
        and not inspect.getdoc(getattr(value, attribute) if not isinstance(found, property) else found)
    ]
    assert not undocumented
