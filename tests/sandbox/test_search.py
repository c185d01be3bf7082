"""A random search for templates that get through: sentences of the grammar, with numbers and names that hurt."""

import random
from collections.abc import Iterator

import pytest

from roleforge_llm.sandbox.filters import GUARDED_FILTERS
from roleforge_llm.sandbox.predicates import GUARDED_TESTS
from tests.sandbox.watching import Worker, complaint

NUMBERS = (
    "0",
    "1",
    "-1",
    "3",
    "7",
    "1000",
    "99999",
    "2000000000",
    "10**10",
    "-10**12",
    "1.5",
    "('nan'|float)",
    "2**4000",
)
NAMES = (
    "messages",
    "messages[0]",
    "nothing",
    "ns",
    "ns.a",
    "ns.b",
    "x",
    "range",
    "namespace",
    "dict",
    "f",
    "loop",
    "none",
)
TEXTS = (
    "''",
    "'a'",
    "'<é😀>'",
    "'a'*1000",
    "'a,b '*5000",
    "'%9999d'",
    "'%s%s'",
    "'{0}{0!r:>9999}'",
    "'{0.a[0]}'",
    "'\\n\\t'",
)
METHODS = (
    *(
        "upper",
        "title",
        "strip",
        "split",
        "rsplit",
        "splitlines",
        "replace",
        "join",
        "format",
        "format_map",
        "find",
        "rfind",
    ),
    *(
        "center",
        "zfill",
        "expandtabs",
        "partition",
        "startswith",
        "count",
        "index",
        "get",
        "items",
        "keys",
        "values",
        "copy",
    ),
    *(
        "append",
        "update",
        "__class__",
        "encode",
        "translate",
        "cycle",
        "changed",
        "casefold",
        "removeprefix",
        "islower",
    ),
)
BINARY = ("+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or")


class Grammar:
    """One random template for each seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def template(self) -> str:
        start = (
            "{% set ns = namespace(a='ab', b=[1]) %}{% set x = messages %}{% macro f(a, b=1) %}{{ a }}{% endmacro %}"
        )
        return start + self._body(4)

    def _body(self, depth: int) -> str:
        return "".join(self._statement(depth) for _ in range(self._random.randint(1, 3)))

    def _statement(self, depth: int) -> str:
        if not depth or self._random.random() < 0.35:
            return "{{ " + self._expression(3) + " }}"
        inner, value = self._body(depth - 1), self._expression(3)
        return self._random.choice(
            (
                f"{{% for x in {value} %}}{inner}{{% endfor %}}",
                f"{{% for x in {value} if {self._expression(2)} %}}{inner}{{% else %}}-{{% endfor %}}",
                f"{{% for x in range(99999) %}}{inner}{{% endfor %}}",
                f"{{% for x in {value} recursive %}}{inner}{{{{ loop([x, x]) }}}}{{% endfor %}}",
                f"{{% if {value} %}}{inner}{{% else %}}{self._body(depth - 1)}{{% endif %}}",
                f"{{% set ns.a = {value} %}}{inner}",
                f"{{% set ns.b = [ns.b, {value}] %}}{inner}",
                f"{{% set ns.a %}}{inner}{{% endset %}}",
                f"{{% filter {self._random.choice(sorted(set(GUARDED_FILTERS) - {'*'}))} %}}{inner}{{% endfilter %}}",
                f"{{% macro f(a, b=1) %}}{inner}{{{{ f(a, b) }}}}{{% endmacro %}}{{{{ f({value}) }}}}",
                f"{{% call f({value}) %}}{inner}{{% endcall %}}",
                f"{{% with x = {value} %}}{inner}{{% endwith %}}",
            )
        )

    def _expression(self, depth: int) -> str:
        pick = self._random.choice
        if not depth or self._random.random() < 0.2:
            return pick((*NUMBERS, *NAMES, *TEXTS))
        inner = self._expression
        name = pick(sorted(set(GUARDED_FILTERS) - {"*"}))
        shapes = (
            lambda: f"({inner(depth - 1)}) {pick(BINARY)} ({inner(depth - 1)})",
            lambda: f"({inner(depth - 1)})|{name}",
            lambda: f"({inner(depth - 1)})|{name}({self._arguments(depth - 1)})",
            lambda: f"({inner(depth - 1)})|map('{name}', {self._arguments(depth - 1)})",
            lambda: f"({inner(depth - 1)}).{pick(METHODS)}({self._arguments(depth - 1)})",
            lambda: f"({inner(depth - 1)}) is {pick(sorted(n for n in GUARDED_TESTS if n.isalpha()))}",
            lambda: f"({inner(depth - 1)})[{inner(depth - 1)}]",
            lambda: f"({inner(depth - 1)})[{inner(depth - 1)}:{pick(NUMBERS)}:{pick(NUMBERS)}]",
            lambda: f"[{inner(depth - 1)}, {inner(depth - 1)}]",
            lambda: f"({inner(depth - 1)}, {inner(depth - 1)})",
            lambda: f"{{{inner(depth - 1)}: {inner(depth - 1)}}}",
            lambda: (
                f"{pick(('range', 'dict', 'namespace', 'f', 'loop', 'strftime_now', 'ns.a'))}({self._arguments(depth - 1)})"
            ),
            lambda: f"({inner(depth - 1)} if {inner(depth - 1)} else {inner(depth - 1)})",
        )
        return str(pick(shapes)())

    def _arguments(self, depth: int) -> str:
        return ", ".join(self._expression(depth) for _ in range(self._random.randint(0, 2)))


@pytest.fixture
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


def search(worker: Worker, seeds: range) -> dict[str, str]:
    """The templates that something is wrong with, and what."""
    found = {}
    for seed in seeds:
        case = {"template": Grammar(seed).template(), "expect": "bounded"}
        if said := complaint(case, worker.render(case)):
            found[case["template"]] = said
    return found


def test_no_random_template_gets_through(worker: Worker) -> None:
    assert search(worker, range(150)) == {}


@pytest.mark.nightly
@pytest.mark.parametrize("block", range(20))
def test_no_random_template_gets_through_a_long_search(worker: Worker, block: int) -> None:
    first = 1000 * (block + 1)
    assert search(worker, range(first, first + 1000)) == {}


def test_the_search_reaches_templates_that_render_and_templates_that_are_stopped(worker: Worker) -> None:
    results = [worker.render({"template": Grammar(seed).template()}) for seed in range(60)]
    assert any("text" in result for result in results)
    assert any("error" in result for result in results)
