"""What a rendering may cost: prices cannot be dodged, and a long conversation may cost more than a short one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from roleforge_llm import TemplateError
from roleforge_llm.sandbox import Plain, render_template
from roleforge_llm.sandbox.budget import MEMORY, WORK, Budget

numbers: st.SearchStrategy[Any] = st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e12, 1e12))


@given(st.lists(st.tuples(numbers, numbers), max_size=20))
def test_no_price_whatever_leaves_more_than_there_was(prices: list[tuple[int, int]]) -> None:
    budget = Budget({})
    for work, memory in prices:
        before = budget.work, budget.memory
        try:
            budget.spend(work, memory)
        except SecurityError:
            return
        assert budget.work <= before[0]
        assert budget.memory <= before[1]


@pytest.mark.parametrize("price", [float("nan"), float("inf"), -float("inf")])
def test_a_price_that_is_no_number_ends_the_rendering(price: Any) -> None:
    with pytest.raises(SecurityError):
        Budget({}).spend(price)
    with pytest.raises(SecurityError):
        Budget({}).spend(0, price)


def test_every_rendering_has_a_budget_of_its_own() -> None:
    for _ in range(3):
        assert render_template("hf", f"{{{{ ('x' * {MEMORY // 2}) | length }}}}", "t", {}) == str(MEMORY // 2)


def test_any_thread_may_render_and_each_rendering_pays_for_itself() -> None:
    template = "{% for i in range(n) %}{% for j in range(1000) %}{% endfor %}{% endfor %}{{ n }}"

    def run(n: int) -> str:
        try:
            return render_template("hf", template, "t", {"n": n})
        except TemplateError:
            return "stopped"

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, [1, 50_000, 2, 50_000, 3])) == ["1", "stopped", "2", "stopped", "3"]


def test_a_long_conversation_may_cost_more() -> None:
    text = "x" * (MEMORY // 3)
    template = "{% for part in parts %}{{ part }}{% endfor %}"
    assert len(render_template("hf", template, "t", {"parts": [text]})) == len(text)
    with pytest.raises(TemplateError, match=r"too much memory \(allowed are 24 MiB, and up to 96 MiB for a long conv"):
        render_template("hf", "{{ ('x' * n) ~ ('x' * n) ~ ('x' * n) }}", "t", {"n": len(text)})


def test_even_the_longest_conversation_has_an_end() -> None:
    many: list[Plain] = ["x" * 1000] * 20_000
    with pytest.raises(TemplateError, match="too much work"):
        render_template("hf", "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}", "t", {"many": many})


def test_work_is_counted_per_pass_and_not_per_template() -> None:
    one = "{% for i in range(1000) %}x{% endfor %}"
    assert render_template("hf", one, "t", {}) == "x" * 1000
    with pytest.raises(TemplateError, match="too much work"):
        render_template("hf", f"{{% for i in range({WORK // 1000}) %}}{one}{{% endfor %}}", "t", {})


MESSAGES: list[Plain] = [
    {"role": ("user", "assistant")[i % 2], "content": "hello there, how are you today?"} for i in range(200)
]
TEMPLATES = {
    "attributes": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}",
    "items": "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '\n' }}{% endfor %}",
    "branches": "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[U] ' + m['content'] | trim }}{% elif m['role'] == "
    "'assistant' %}{{ '[A] ' ~ m.content ~ '</s>' }}{% endif %}{% endfor %}",
    "checks": "{% set ns = namespace(n=0) %}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('alternate') }}{% endif %}{% set ns.n = ns.n + 1 %}{{ m.content.strip() }}{% endfor %}{{ ns.n }}",
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_within_its_budget_a_rendering_is_that_of_the_plain_sandbox(name: str) -> None:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, undefined=StrictUndefined)
    environment.globals["raise_exception"] = str
    variables: dict[str, Plain] = {"messages": MESSAGES}
    guarded = render_template("native", TEMPLATES[name], "t", variables)
    assert guarded == environment.from_string(TEMPLATES[name]).render(variables)
