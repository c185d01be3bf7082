"""docs/reference.md names everything that is public."""

import inspect
import re
from collections.abc import Iterator
from typing import get_args

import attrs
import click
import pytest

import roleforge_llm as rf
from roleforge_llm import hookspecs, testing
from roleforge_llm.attempts import EventKind
from roleforge_llm.cli import cli
from roleforge_llm.config.finding import VARIABLE
from roleforge_llm.host import DISABLE_VARIABLE
from tests.docs.markdown import REPOSITORY

REFERENCE = (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")
GUIDE = (REPOSITORY / "docs" / "PLUGIN_GUIDE.md").read_text(encoding="utf-8")
IN_CONFIGURATION = {"Profile", "Sampler", "RetryConfig", "Timeouts"}
"""Classes whose fields are the keys of CONFIGURATION.md, which tests/config holds complete."""

HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("roleforge_")}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def members(public: object) -> Iterator[str]:
    """The public fields, methods and properties that a class itself defines."""
    if not inspect.isclass(public) or public.__name__ in IN_CONFIGURATION:
        return
    if attrs.has(public):
        yield from (field.name for field in attrs.fields(public))
    yield from (name for name in vars(public) if not name.startswith("_"))


@pytest.mark.parametrize("name", rf.__all__)
def test_every_public_name_is_in_the_reference_with_all_it_has(name: str) -> None:
    public = getattr(rf, name)
    assert name in words(REFERENCE)
    assert [member for member in members(public) if member not in words(REFERENCE)] == []


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_of_the_testing_kit_is_in_the_reference(name: str) -> None:
    section = REFERENCE.partition("## Testing\n")[2].partition("\n## ")[0]
    public = getattr(testing, name)
    assert name in words(section)
    assert [member for member in members(public) if member not in words(section)] == []


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_in_the_reference_and_the_guide_with_its_arguments(name: str) -> None:
    call = f"`{name}({', '.join(inspect.signature(HOOKS[name]).parameters)})`"
    assert call in REFERENCE
    assert call in GUIDE


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(command)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}".strip())
    else:
        yield path, command


def test_every_command_of_the_host_is_in_the_reference_with_its_options() -> None:
    own = [
        (path, command) for path, command in commands(cli) if command.callback.__module__.startswith("roleforge_llm.")
    ]
    assert len(own) > 8
    for path, command in own:
        assert f"`{path}`" in REFERENCE
        options = [name for parameter in command.params for name in parameter.opts if name.startswith("--")]
        assert [name for name in options if f"`{name}" not in REFERENCE] == []


@pytest.mark.parametrize("kind", get_args(EventKind))
def test_every_kind_of_event_is_in_the_reference(kind: str) -> None:
    assert re.search(rf"[ \n]{kind}[,.]", REFERENCE)


def test_every_variable_that_the_host_reads_is_in_the_reference() -> None:
    assert f"`{VARIABLE}`" in REFERENCE
    assert f"`{DISABLE_VARIABLE}`" in REFERENCE
