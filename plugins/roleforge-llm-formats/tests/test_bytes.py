"""Formats that name a source give the bytes of that source."""

import json
from pathlib import Path

import pytest
import roleforge_llm_formats as plugin

from roleforge_llm.messages import conversation

DATA = json.loads((Path(__file__).parent / "data" / "prompts.json").read_text(encoding="utf-8"))
CONVERSATIONS = DATA["conversations"]
REFERENCES = DATA["formats"]
FORMATS = {form.name: form for form in plugin.roleforge_formats()}
PROMPTS = [(name, shape) for name, reference in REFERENCES.items() for shape in reference["prompts"]]


@pytest.mark.parametrize(("name", "shape"), PROMPTS, ids=[f"{name}-{shape}" for name, shape in PROMPTS])
def test_a_prompt_is_what_its_source_makes_of_the_conversation(name, shape):
    form, reference = FORMATS[name], REFERENCES[name]
    closed = CONVERSATIONS[shape]["closed"]
    variables = {**reference.get("variables", {}), "add_generation_prompt": not closed}
    text = form.render(conversation(CONVERSATIONS[shape]["messages"]), variables)
    expected = reference["prompts"][shape].removeprefix(reference.get("bos", ""))
    assert text == expected + ("" if closed else reference.get("opened", ""))


def test_at_least_thirty_formats_are_held_to_a_source():
    assert len([name for name, reference in REFERENCES.items() if len(reference["prompts"]) > 1]) >= 30


def test_a_format_that_names_fastchat_holds_all_of_its_conversations():
    claimed = {name for name, form in FORMATS.items() if form.source.startswith("FastChat: ")}
    assert claimed == {name for name, reference in REFERENCES.items() if reference["by"] == "FastChat"}
    assert all(REFERENCES[name]["prompts"].keys() == CONVERSATIONS.keys() for name in claimed)


def test_a_format_that_names_a_template_is_held_to_it():
    claimed = {name for name, form in FORMATS.items() if "chat template" in form.source}
    assert claimed <= REFERENCES.keys()


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_not_compared_has_a_reason(name):
    reference = REFERENCES[name]
    left_out = reference.get("left_out", {})
    assert all(left_out.values())
    assert left_out.keys() | reference["prompts"].keys() == CONVERSATIONS.keys()


@pytest.mark.parametrize("name", REFERENCES)
def test_bos_is_taken_off_a_reference_only_where_the_server_adds_it(name):
    assert "bos" not in REFERENCES[name] or FORMATS[name].bos == "server"
