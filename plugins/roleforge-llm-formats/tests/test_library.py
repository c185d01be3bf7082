"""What the library as a whole promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import roleforge_llm_formats as plugin
from roleforge_llm_formats.table import page

from roleforge_llm import Message, TemplateFormat
from roleforge_llm.formats import lint_format
from roleforge_llm.messages import conversation
from roleforge_llm_builtin.formats import builtin_formats

FORMATS = list(plugin.roleforge_formats())
every_format = pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])

FOUR_TURNS = [Message("system", "s"), Message("user", "u1"), Message("assistant", "a1"), Message("user", "u2")]
ODD = {
    "gpt-oss": {"stop-unwritten"},  # the model ends a reply with another marker than a conversation shows
    "mistral-v3": {"system-place"},  # the system message stands in the last user turn
    "mistral-v3-tekken": {"system-place"},
}
"""What the lint says of formats that are odd because their source is."""


def test_there_are_at_least_forty_five_formats():
    assert len(FORMATS) >= 45


def test_at_least_thirty_five_differ_on_one_conversation_of_four_turns():
    assert len({form.render(conversation(FOUR_TURNS)) for form in FORMATS}) >= 35


def test_no_format_takes_the_name_of_a_built_in_one():
    assert not {form.name for form in FORMATS} & {form.name for form in builtin_formats()}


@every_format
def test_a_format_says_what_it_is_for_and_where_its_bytes_are_from(form):
    assert form.description
    assert form.source


@every_format
def test_its_first_lines_mean_what_the_whole_parser_reads(form):
    assert form == TemplateFormat.from_file(form.path)


@every_format
def test_the_lint_finds_nothing(form):
    assert {finding.rule for finding in lint_format(form)} == ODD.get(form.name, set())


@every_format
def test_every_marker_in_its_text_is_a_control_token(form):
    text = form.render(conversation(FOUR_TURNS))
    for token in form.control_tokens:
        text = text.replace(token, "")
    assert not re.findall(r"<[^<>\n]{1,30}>|\[/?[A-Z_]+\]|^#+ ?\w+:?$", text.partition("u1")[2], re.MULTILINE)


@every_format
def test_a_stop_sequence_is_made_of_control_tokens(form):
    for stop in form.stop:
        assert any(token.startswith(stop.strip()) or token in stop for token in form.control_tokens)


@every_format
def test_a_format_without_a_system_turn_merges_and_says_so(form):
    assert (form.system_turns == "none") == ("system messages open the next user turn" in form.description)


@every_format
def test_a_format_that_strips_messages_says_so(form):
    messages = [Message("system", " s "), Message("user", " u "), Message("assistant", " a "), Message("user", " v ")]
    text = form.render(conversation(messages))
    assert all(f" {letter} " in text for letter in "suav") != ("trims" in form.description)


def test_listing_the_formats_parses_no_template():
    code = (
        "import sys, roleforge_llm_formats as plugin\n"
        "print(len([form.stop for form in plugin.roleforge_formats()]), 'jinja2' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"{len(FORMATS)} False\n"


def test_the_table_in_the_documentation_is_current():
    table = Path(__file__).parents[3] / "docs" / "FORMATS.md"
    assert table.read_text(encoding="utf-8") == page(), "run python -m roleforge_llm_formats.table > docs/FORMATS.md"
