"""Every link of the documentation leads somewhere."""

import pytest

from tests.docs.markdown import REPOSITORY, Page, all_pages

PAGES = all_pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(page: Page) -> None:
    for link in page.links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        assert target.is_relative_to(REPOSITORY), f"{page.name} links to {link}, out of the repository"
        if anchor:
            assert anchor in Page.read(target).anchors, f"{page.name} links to {link}, where there is no such heading"


def test_the_index_leads_to_every_page_of_the_documentation() -> None:
    index = Page.read(REPOSITORY / "docs" / "index.md")
    pages = {path.name for path in (REPOSITORY / "docs").glob("*.md")} - {"index.md"}
    assert pages <= set(index.links)


def test_the_index_leads_to_every_plugin_of_the_repository() -> None:
    index = Page.read(REPOSITORY / "docs" / "index.md")
    pages = {f"../plugins/{path.parent.name}/README.md" for path in (REPOSITORY / "plugins").glob("*/README.md")}
    assert pages <= set(index.links)


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    docs = REPOSITORY / "docs"
    shown = {line.strip() for line in (docs / "conf.py").read_text(encoding="utf-8").splitlines()}
    pages = {str(path.relative_to(docs).with_suffix("")) for path in [*docs.glob("*.md"), *docs.glob("api/*.rst")]}
    assert pages - {"index"} <= shown


def test_the_readme_leads_to_configuration_templates_backends_and_failures() -> None:
    names = ("CONFIGURATION", "TEMPLATE_GUIDE", "BACKEND_SUPPORT", "ERROR_HANDLING")
    assert {f"docs/{name}.md" for name in names} <= set(Page.read(REPOSITORY / "README.md").links)


def test_the_readme_shows_the_two_commands() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "\n$ pip install . ./plugins/roleforge-llm-llamacpp && roleforge-llm demo\n" in text
    assert "\n$ pip install -r tests/requirements.txt && pytest -n 2\n" in text
