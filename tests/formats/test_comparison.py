"""Two formats are compared byte for byte."""

from __future__ import annotations

import attrs
import pytest

from roleforge_llm import FormatError
from roleforge_llm.formats import TemplateFormat, compare, find_format
from roleforge_llm.host import PluginHost
from tests.formats.models import PIPES, WORDS

HOST = PluginHost()


def form(text: str, **more: object) -> TemplateFormat:
    made = find_format(text, HOST).format
    assert isinstance(made, TemplateFormat)
    return attrs.evolve(made, **more)  # type: ignore[arg-type]  # fields of the format


def test_a_format_equals_itself() -> None:
    found = compare(form(PIPES), form(PIPES))
    assert found.equal
    assert len(found.compared) == 5
    assert (found.differences, dict(found.skipped), found.warnings) == ((), {}, ())


def test_the_first_byte_that_differs_is_shown_in_context() -> None:
    found = compare(form(PIPES.replace("<|end|>", "<|fin|>")), form(PIPES))
    assert not found.equal
    first = found.differences[0]
    assert (first.conversation, first.byte) == ("one user message", len("<|user|>\nWhat can I cook today?<|"))
    assert first.before.endswith("today?<|")
    assert (first.ours[:4], first.theirs[:4]) == ("fin|", "end|")


def test_positions_are_counted_in_bytes() -> None:
    ours, theirs = form("é{{ messages | length }}a"), form("é{{ messages | length }}b")
    assert compare(ours, theirs, lint=False).differences[0].byte == 3


def test_a_bos_in_front_does_not_count() -> None:
    """Servers add it, and sending drops it; whoever writes it is right."""
    assert compare(form(PIPES, bos_token="<s>"), form(PIPES)).equal
    assert compare(form(PIPES), form(PIPES, bos_token="<s>")).equal


def test_a_bos_that_nobody_would_drop_counts_and_is_warned_of() -> None:
    found = compare(form("<s>" + PIPES), form(PIPES, bos_token="<s>"))
    assert found.differences[0].ours.startswith("s><|user|>")
    assert any("double BOS" in warning for warning in found.warnings)


def test_a_missing_generation_prompt_is_told_with_its_text() -> None:
    found = compare(form(PIPES.replace("<|assistant|>\n{% endif", "{% endif")), form(PIPES))
    assert r"the generation prompt is missing: '<|assistant|>\n' should follow" in found.warnings


def test_what_the_other_side_refuses_is_left_out_and_told() -> None:
    picky = form("{{ raise_exception('no system') if messages[0].role == 'system' }}" + PIPES)
    found = compare(form(PIPES), picky)
    assert found.equal
    assert found.compared == ("one user message", "two turns")
    assert all("no system" in reason for reason in found.skipped.values())


def test_what_ours_refuses_is_a_difference() -> None:
    picky = form("{{ raise_exception('no system') if messages[0].role == 'system' }}" + PIPES)
    found = compare(picky, form(PIPES))
    assert found.differences[0].conversation == "a system message"
    assert "refused" in found.differences[0].ours


def test_nothing_to_compare_is_an_error_and_not_equal() -> None:
    with pytest.raises(FormatError, match="refuses every conversation"):
        compare(form(PIPES), form("{{ raise_exception('never') }}"))


def test_a_different_treatment_of_white_space_is_a_warning() -> None:
    found = compare(form(PIPES), form(PIPES.replace("message.content", "message.content | trim")))
    assert found.equal
    assert any("white space" in warning for warning in found.warnings)


def test_a_default_system_text_is_a_difference() -> None:
    default = "{% if messages[0].role != 'system' %}<|system|>\nBe kind.<|end|>\n{% endif %}"
    assert not compare(form(PIPES), form(default + PIPES)).equal


def test_escaping_of_special_characters_is_a_difference() -> None:
    assert not compare(form(PIPES.replace("message.content", "message.content | tojson")), form(PIPES)).equal


def test_what_is_odd_about_ours_is_told_even_where_all_bytes_are_equal() -> None:
    found = compare(form(WORDS, stop=("\nUSER:",)), form(WORDS))
    assert found.equal
    assert any(r"'\nUSER:' is nowhere" in warning for warning in found.warnings)
    assert not compare(form(WORDS, stop=("\nUSER:",)), form(WORDS), lint=False).warnings
