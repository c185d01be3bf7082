"""The bytes of the four built-in formats, written out in full as data."""

import json
from pathlib import Path
from typing import Any

import pytest

from roleforge_llm.messages import conversation
from roleforge_llm.rendering import render_guarded
from roleforge_llm_builtin.formats import builtin_formats

DATA = Path(__file__).parents[1] / "data" / "formats"
TABLE = json.loads((DATA / "byte_table.json").read_text(encoding="utf-8"))
KNOWN_GOOD = json.loads((DATA / "known_good.json").read_text(encoding="utf-8"))
FORMATS = {form.name: form for form in builtin_formats()}
NAMES = ("chatml", "alpaca", "vicuna", "llama2")


def rendered(name: str, messages: list[list[str]]) -> str:
    checked = conversation([{"role": role, "content": content} for role, content in messages])
    return render_guarded(FORMATS[name], checked).text


@pytest.mark.parametrize("row", TABLE, ids=[row["case"] for row in TABLE])
@pytest.mark.parametrize("name", NAMES)
def test_each_shape_of_conversation_has_exactly_these_bytes(name: str, row: dict[str, Any]) -> None:
    assert rendered(name, row["messages"]) == row[name]


@pytest.mark.parametrize("name", NAMES)
def test_prompts_that_a_real_model_answered_correctly_stay_as_they_are(name: str) -> None:
    assert len(KNOWN_GOOD[name]) == 90
    for row in KNOWN_GOOD[name]:
        assert rendered(name, row["messages"]) == row["prompt"]


def test_every_template_of_the_folder_is_offered_under_its_own_name() -> None:
    assert sorted(FORMATS) == sorted(NAMES)


@pytest.mark.parametrize(
    ("name", "stop", "prefix", "suffix", "system_turns"),
    [
        ("chatml", ("<|im_end|>", "<|im_start|>"), "", "", "any"),
        ("alpaca", ("### Input:", "### Instruction:", "### Response:"), "", "\n", "first"),
        ("vicuna", ("\nUSER:", "</s>"), " ", "", "first"),
        ("llama2", ("[INST]", "</s>"), " ", " ", "first"),
    ],
)
def test_each_template_states_where_its_replies_begin_and_end(
    name: str, stop: tuple[str, ...], prefix: str, suffix: str, system_turns: str
) -> None:
    form = FORMATS[name]
    assert form.stop == stop
    assert (form.reply_prefix, form.reply_suffix, form.system_turns) == (prefix, suffix, system_turns)
    assert form.bos == "server"
    assert form.description


@pytest.mark.parametrize("name", NAMES)
def test_every_marker_of_a_turn_is_a_control_token(name: str) -> None:
    text = rendered(name, [["system", ""], ["user", ""], ["assistant", ""], ["user", ""], ["assistant", "p"]])
    for token in FORMATS[name].control_tokens:
        text = text.replace(token, "")
    left = {
        "chatml": "user\n\nassistant\n\nuser\n\nassistant\np",
        "alpaca": "\n\n\n\n\n\n\np",
        "vicuna": "A chat between a curious user and an artificial intelligence assistant.\n\n \n \n \n p",
        "llama2": "        p",
    }
    assert text.split() == left[name].split()
