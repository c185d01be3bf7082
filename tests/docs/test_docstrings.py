"""The docstrings, of which the API reference is made, say what is there."""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import get_args

import pytest

import roleforge_llm as rf
from roleforge_llm import errors
from roleforge_llm.attempts import EventKind
from tests.docs.docstrings import docstring
from tests.docs.publicnames import PublicName, groups
from tests.docs.reference_page import members

PUBLIC = [public for group in groups() for public in group.names]
SETTINGS = {"Profile", "Sampler", "RetryConfig", "Timeouts"}
"""Their fields are the keys of CONFIGURATION.md, which explains each."""


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def functions(public: PublicName) -> Iterator[tuple[str, Callable[..., object]]]:
    """The function itself, or the public methods and properties of the class."""
    value = public.value
    if inspect.isfunction(value):
        yield public.name, value
    elif inspect.isclass(value):
        for name, found in inspect.getmembers_static(value):
            function = getattr(found, "__func__", None) or getattr(found, "fget", None) or found
            if not name.startswith("_") and inspect.isfunction(function) and is_own(function):
                yield name, function


def is_own(function: Callable[..., object]) -> bool:
    return function.__module__.startswith("roleforge_llm")


def described(public: PublicName, name: str) -> str:
    """The docstring of a function or method; one that overrides may leave it to what it overrides."""
    value = public.value
    return inspect.getdoc(getattr(value, name) if inspect.isclass(value) else value) or ""


def explained_below(value: type) -> set[str]:
    """Attributes that have a text of their own below them, in the class or in what it sets when it is made."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    pairs = [pair for body in bodies for pair in itertools.pairwise(body)]
    return {
        ast.unparse(first.target if isinstance(first, ast.AnnAssign) else first.targets[0]).removeprefix("self.")
        for first, second in pairs
        if isinstance(first, ast.AnnAssign | ast.Assign)
        and isinstance(second, ast.Expr)
        and isinstance(second.value, ast.Constant)
    }


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.name)
def test_every_public_name_has_a_docstring(public: PublicName) -> None:
    assert docstring(public.module, public.name)


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.name)
def test_every_method_and_attribute_is_explained(public: PublicName) -> None:
    value = public.value
    if not inspect.isclass(value) or public.name in SETTINGS:
        return
    text = words(docstring(public.module, public.name))
    for owner in value.__mro__:
        if owner.__module__.startswith("roleforge_llm"):
            text |= words(owner.__doc__ or "") | explained_below(owner)
    own = {name for name, _ in functions(public) if described(public, name)}
    assert {name for name in members(public) if name.removesuffix("()") not in text | own} == set()


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.name)
def test_a_docstring_names_only_arguments_that_exist(public: PublicName) -> None:
    fields = {name.removesuffix("()") for name in members(public)} if inspect.isclass(public.value) else set()
    for name, function in functions(public):
        named = set(re.findall(r"(?<!\*)\*(\w+)\*(?!\*)", described(public, name)))
        assert named - set(inspect.signature(function).parameters) - fields == set(), name


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.name)
def test_a_docstring_names_the_errors_of_ours_that_are_raised(public: PublicName) -> None:
    for name, function in functions(public):
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
        names = {ast.unparse(error.func if isinstance(error, ast.Call) else error) for error in raised}
        ours = {found.rpartition(".")[2] for found in names} & set(errors.__all__)
        assert ours - words(described(public, name)) == set(), name


def test_every_kind_of_event_is_explained() -> None:
    explained = re.findall(r"^- ``([\w-]+)``: \S", inspect.getdoc(rf.Event) or "", re.MULTILINE)
    assert explained == list(get_args(EventKind))
