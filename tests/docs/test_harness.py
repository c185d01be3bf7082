"""The run of a page finds what is wrong in it."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.markdown import REPOSITORY, Block, Page
from tests.docs.outputs import difference
from tests.docs.running import PageRun

CONFIGURATION = """
```toml
[profiles.local]
base_url = "http://localhost:5001/v1"
template = "chatml"
retry_config = { max_retries = 0 }
```
"""


def run(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> PageRun:
    with ExitStack() as stack:
        made = PageRun(Page(REPOSITORY / "page.md", text), folder, stack, monkeypatch)
        made.run()
    return made


@pytest.mark.parametrize(
    "page",
    [
        "```python\nassert 1 == 2\n```",
        "```python\nimport no_such_module\n```",
        "```python\nprint(1)\n```",
        "```python\nprint(1)\n```\n```text\n2\n```",
        "```python\nx = 1\n```\n```text\nsomething\n```",
        "```text\nsaid by nobody\n```\nprose\n```text\nagain\n```",
        '```toml\n[profiles.local]\nbaseURL = "localhost"\n```',
        '```toml\n[profiles.local]\nbaseURL = "http://localhost:5001/v1"\ntemplate = "chatlm"\n```',
        '```toml\n[profiles.local]\nbackend = "no-such-backend"\n```',
        f"<!-- docs: faulty -->\n{CONFIGURATION}",
        '```toml title="pyproject.toml"\n[project]\nname = "x"\n```',
        "```jinja\n{% if %}\n```",
        "```jinja\n{% set stop_sequence = [] %}\n{{ usr_message }}\n```",
        "```console\n$ roleforge-llm no-such-command\n```",
        '```console\n$ roleforge-llm render --format chatml --user "Hi"\nHi\n```',
        "```console\n$ rm -r folder\n```",
        "```console\n$ echo hello | rm -r folder\n```",
        "```console\n$ pip install ./no-such-folder\n```",
        "```\nno language\n```",
        "<!-- docs: sever http://localhost:5001/v1 = ok -->",
    ],
)
def test_a_page_that_does_not_hold_fails_and_names_its_line(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError, match=r"page\.md:\d+|printed"):
        run(page, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    "page",
    [
        "```python\nx = 1\n```\nprose\n```python\nprint(x)\n```\n\n```text\n1\n```",
        "```python\nimport roleforge_llm as rf\nrf.render([{'role': 'user', 'content': 'Hi'}], 'chatlm')\n```",
        f"""<!-- docs: server http://localhost:5001/v1 = ok -->\n{CONFIGURATION}
```console\n$ roleforge-llm chat "Hi"\none two three four\n```""",
        f"""{CONFIGURATION}\n<!-- docs: refused http://localhost:5001/v1 -->
```console\n$ roleforge-llm chat "Hi"\n...refused by http://localhost:5001;...\n...\n$ echo $?\n1\n```""",
        '```json\n{"profiles": {"a": {"baseURL": "http://localhost:1/v1", "apiKeyEnv": "SOME_KEY"}}}\n```',
    ],
)
def test_a_page_that_holds_passes(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(page, tmp_path, monkeypatch).not_run == []


def test_a_block_that_is_not_run_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "<!-- docs: not run: needs an account -->\n```python\nraise SystemExit\n```"
    assert [block.line for block in run(page, tmp_path, monkeypatch).not_run] == [2]


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("a\nb", "a\nb\n"),
        ("a  \n", "a"),
        ("...\nb", "a\na\nb"),
        ("a\n...", "a"),
        ("a\n...\nd", "a\nb\nc\nd"),
        ("took ... s", "took 0.213 s"),
        ("[1] (a|b)*", "[1] (a|b)*"),
    ],
)
def test_output_may_be_shown_with_dots(shown: str, real: str) -> None:
    assert difference(shown, real) is None


@pytest.mark.parametrize(
    ("shown", "real"),
    [("a", "b"), ("a", "a\nb"), ("a\nb", "a"), ("took ... s", "took\n1 s"), ("a.c", "abc"), ("", "a")],
)
def test_other_output_is_a_difference(shown: str, real: str) -> None:
    assert difference(shown, real)


def test_blocks_in_lists_lose_their_indentation() -> None:
    page = Page(REPOSITORY / "page.md", "1. So:\n\n   ```python\n   if True:\n       x = 1\n   ```\n")
    assert page.items == [Block("python", "if True:\n    x = 1\n", 3)]


def test_anchors_are_spelt_as_github_spells_them() -> None:
    page = Page(
        REPOSITORY / "page.md", "# A model's `own` chat, step by step\n## Twice\n## Twice\n```text\n# no heading\n```\n"
    )
    assert page.anchors == {"a-models-own-chat-step-by-step", "twice", "twice-1"}


def test_links_in_code_are_none() -> None:
    page = Page(REPOSITORY / "page.md", "[a](b.md#c) `[d](e)` ![image](f.png)\n```text\n[g](h)\n```\n[i](https://j)")
    assert page.links == ["b.md#c", "https://j"]
