"""What all suites of the kit have in common: the report, and waivers."""

import pickle
import subprocess
import sys

import pytest

import roleforge_llm as rf
from roleforge_llm.testing import DoesNotConform, assert_format_conforms
from roleforge_llm.testing.conformance import Broken, shown, verdict


class Bare(rf.PromptFormat):
    """Lacks nearly everything."""

    name = "bare"
    stop = ("user",)

    def render(self, conversation, variables=None):
        return " ".join(message.text.strip() for message in conversation.messages)


@pytest.fixture
def error():
    with pytest.raises(DoesNotConform) as caught:
        assert_format_conforms(Bare())
    return caught.value


def test_it_is_an_assertion_error_that_tells_every_broken_rule(error):
    assert isinstance(error, AssertionError)
    rules = [broken.rule for broken in error.broken]
    assert {"content", "prefill", "refusals", "generation-prompt", "stop-ordinary"} <= set(rules)
    assert len(rules) == len(set(rules))
    for broken in error.broken:
        assert f"\n\n{broken.rule}: {broken.promise}\n" in str(error)
        assert broken.came in str(error)
        assert f"to do: {broken.advice}" in str(error)


def test_the_same_faults_are_found_each_time(error):
    with pytest.raises(DoesNotConform) as again:
        assert_format_conforms(Bare())
    assert str(again.value) == str(error)


def test_it_pickles(error):
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.broken) == (str(error), error.broken)


def test_a_rule_that_is_broken_in_many_ways_is_told_once_with_some_of_them():
    broken = [Broken("rule", "promise", f"input {number}", "this", "do that") for number in range(9)]
    with pytest.raises(DoesNotConform) as caught:
        verdict("the thing", ["rule"], broken, {})
    assert str(caught.value) == (
        "the thing breaks 1 of 1 rules\n\n"
        "rule: promise\n"
        "    given: input 0\n"
        "    came: this\n"
        "    also by: input 1; input 2; input 3; input 4; input 5; and 3 more\n"
        "    to do: do that\n\n"
        'A rule that cannot hold here is left out with waive={"rule": "the reason"}.'
    )


def test_a_waived_rule_is_left_out():
    verdict("the thing", ["a"], [Broken("a", "", "", "", "")], {"a": "for a reason"})


def test_a_waiver_that_nothing_needs_is_a_fault():
    with pytest.raises(DoesNotConform, match="leave the waiver out"):
        verdict("the thing", ["a", "b"], [], {"a": "for a reason"})


def test_a_waiver_of_no_rule_names_the_rules_there_are():
    with pytest.raises(ValueError, match="no rule 'c' here; there are a, b"):
        verdict("the thing", ["a", "b"], [], {"c": "for a reason"})


@pytest.mark.parametrize("reason", ["", "  ", None, False])
def test_a_waiver_needs_a_reason(reason):
    with pytest.raises(ValueError, match="give a reason why 'a' cannot hold"):
        verdict("the thing", ["a"], [], {"a": reason})


def test_of_a_long_text_beginning_and_end_are_shown():
    assert shown("a" * 200 + "b" * 200) == f"'{'a' * 150}' ... '{'b' * 150}' (400 characters)"


def test_pytest_starts_without_the_kit():
    code = "import sys, roleforge_llm.testing.pytest_plugin; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in run.stdout.split() if name.startswith("roleforge_llm.") and "._" not in name}
    assert ours == {"roleforge_llm.testing", "roleforge_llm.testing.pytest_plugin"}
