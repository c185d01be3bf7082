"""Everything public is in the documentation, and what is made from the code is up to date."""

import inspect
import re
from collections import Counter
from collections.abc import Iterator

import click
import pytest

import roleforge_llm as rf
from roleforge_llm import errors, testing, transport
from roleforge_llm.config.finding import VARIABLE
from roleforge_llm.host import DISABLE_VARIABLE
from tests.docs.commands_page import commands, plugin_commands
from tests.docs.generate import PAGES
from tests.docs.hooks_page import HOOKS, examples
from tests.docs.markdown import REPOSITORY, Block, all_pages
from tests.docs.publicnames import groups

REFERENCE = (REPOSITORY / "docs" / "reference.md").read_text(encoding="utf-8")
GUIDE = (REPOSITORY / "docs" / "PLUGIN_GUIDE.md").read_text(encoding="utf-8")
GROUPED = [(public.module, public.name) for group in groups() for public in group.names]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_made_from_the_code_is_up_to_date(path: str) -> None:
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    assert text == PAGES[path](), f"{path} is stale; run `python -m tests.docs.generate`"


@pytest.mark.parametrize("module", [rf, testing, transport], ids=lambda module: module.__name__)
def test_every_public_name_is_on_a_page_of_the_api(module: object) -> None:
    grouped = {name for home, name in GROUPED if home == module.__name__}
    missing = set(module.__all__) - grouped - {"__version__"}
    assert not missing, f"give {sorted(missing)} a line on a page in docs/api"
    assert grouped <= set(module.__all__)


def test_no_name_is_on_two_pages_of_the_api() -> None:
    assert [name for name, count in Counter(GROUPED).items() if count > 1] == []


def test_pages_import_only_what_is_public() -> None:
    imports = re.compile(r"^from (roleforge_llm(?:\.[\w.]+)?) import (.+)$", re.MULTILINE)
    blocks = [item.text for page in all_pages() for item in page.items if isinstance(item, Block)]
    used = {
        (module, name.strip())
        for text in blocks
        for module, names in imports.findall(text)
        for name in names.split("(")[-1].split(",")
    }
    assert len(used) > 5
    assert used - set(GROUPED) == set()


def tree() -> Iterator[tuple[int, str]]:
    """The exceptions as their module draws them: the depth of each, and its name."""
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        if (found := re.match(r"([ |+.-]*)([A-Z][a-zA-Z]+)(?:  .*)?$", line)) is not None:
            yield len(found[1]), found[2]


def test_the_tree_of_exceptions_is_what_it_is_drawn_as() -> None:
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for depth, name in tree():
        above = [entry for entry in above if entry[0] < depth]
        drawn[name] = above[-1][1] if above else "Exception"
        above.append((depth, name))
    public = [getattr(errors, name) for name in errors.__all__]
    real = {value.__name__: value.__bases__[0].__name__ for value in public if issubclass(value, Exception)}
    assert drawn == {name: base for name, base in real.items() if name != "RoleforgeWarning"}


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_in_the_guide_with_its_arguments_and_an_example(name: str) -> None:
    assert f"`{name}({', '.join(inspect.signature(HOOKS[name]).parameters)})`" in GUIDE
    assert examples(name)


def test_every_hook_says_when_it_is_called() -> None:
    assert [name for name, hook in HOOKS.items() if not re.search(r"[Cc]alled|asked", inspect.getdoc(hook) or "")] == []


def test_every_command_and_option_says_what_it_does() -> None:
    own = dict(commands())
    assert {"chat", "config check"} <= own.keys()
    for path, command in own.items():
        assert command.help, path
        options = [found for found in command.params if isinstance(found, click.Option)]
        assert [option.name for option in options if not option.help] == [], path


@pytest.mark.parametrize(("name", "readme"), plugin_commands())
def test_every_command_of_a_plugin_is_in_its_readme(name: str, readme: str) -> None:
    assert f"roleforge-llm {name}" in readme


def test_every_variable_that_the_host_reads_is_in_the_reference() -> None:
    assert f"`{VARIABLE}`" in REFERENCE
    assert f"`{DISABLE_VARIABLE}`" in REFERENCE
