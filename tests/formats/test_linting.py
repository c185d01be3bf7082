"""The lint of formats: each rule finds its fault, and the formats that are installed have none of the serious ones."""

from __future__ import annotations

import pytest

from roleforge_llm.formats import Finding, TemplateFormat, lint_format
from roleforge_llm.host import PluginHost
from tests.formats.models import PIPES, WORDS

CHATML = (
    '{% set stop_sequence = ["<|im_end|>"] %}'
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n{{ assistant_message }}"
)
BUILT_IN = ["alpaca", "chatml", "llama2", "vicuna"]


def rules(text: str) -> set[str]:
    return {finding.rule for finding in lint_format(TemplateFormat.from_text("mine", text))}


@pytest.mark.parametrize("name", BUILT_IN)
def test_nothing_is_odd_about_the_built_in_formats(name: str) -> None:
    found = PluginHost().format(name)
    assert found is not None
    assert lint_format(found) == ()


def test_nothing_is_odd_about_a_plain_format() -> None:
    assert rules(CHATML) == set()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (("<|im_start|>assistant\n", ""), "generation-prompt"),
        (("<|im_start|>assistant\n", "<|im_start|>bot\n"), "generation-prompt"),
        (("<|im_start|>assistant\n", "<|im_start|>assistant "), "trailing-space"),
        (("<|im_start|>assistant\n", "<|im_start|>assistant"), "reply-prefix"),
        (("{% for", "<s>{% for"), "double-bos"),
        (("{% for", "{{ '<s><s>' }}{% for"), "double-bos"),
        (('["<|im_end|>"]', '["<|end|>"]'), "stop-unwritten"),
        (('["<|im_end|>"]', '["<|end|>"]'), "stop-missing"),
        (('["<|im_end|>"]', "[]"), "stop-missing"),
        (('["<|im_end|>"]', '["<|im_start|>"]'), "stop-late"),
        (('["<|im_end|>"]', '["<|im_end|>", "\\n"]'), "stop-ordinary"),
        (('["<|im_end|>"]', '["<|im_end|>", "user"]'), "stop-ordinary"),
        (("{{ m.content }}", "{{ m.content }}{{ m.content }}"), "content"),
        (("in messages", "in messages[-2:]"), "content"),
        (("in messages", "in messages | reverse"), "content"),
        (("{% for", "{{ raise_exception('no') if system_prompt }}{% for"), "refused"),
        (("in messages", "in (messages[1:] + messages[:1] if system_prompt else messages)"), "system-place"),
    ],
)
def test_each_fault_is_found(change: tuple[str, str], rule: str) -> None:
    assert change[0] in CHATML
    assert rule in rules(CHATML.replace(*change, 1))


def test_a_stop_sequence_that_the_model_writes_before_its_reply_is_found() -> None:
    """It would end every reply at once."""
    text = (
        '{% set stop_sequence = ["#", "|"] %}{% for m in messages %}{% if m.role == "assistant" %}bot|say|{% endif %}'
        "{{ m.content }}#{% endfor %}bot|"
    )
    assert "stop-early" in rules(text)


def test_a_format_that_knows_its_own_bos_is_not_told_of_it() -> None:
    assert rules("{% set bos = 'template' %}<s>" + CHATML) == set()


def test_a_finding_says_its_rule_and_shows_its_message() -> None:
    (finding,) = lint_format(TemplateFormat.from_text("mine", CHATML.replace("{% for", "<s>{% for", 1)))
    assert finding == Finding("double-bos", str(finding))
    assert "'<s>'" in str(finding)


@pytest.mark.parametrize("text", [PIPES, WORDS])
def test_a_models_own_template_is_linted_like_any_format(text: str) -> None:
    assert "stop-missing" in rules(text)


def test_a_format_that_refuses_everything_is_told_once_for_each_shape() -> None:
    findings = lint_format(TemplateFormat.from_text("mine", "{{ raise_exception('no') }}{{ user_message }}"))
    assert {finding.rule for finding in findings} == {"refused"}
