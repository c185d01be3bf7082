"""No template hurts the host: each ends soon, in little memory, as an error of ours, and real ones still work."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.watching import Worker, complaint

DATA = Path(__file__).parents[1] / "data" / "sandbox"


def cases(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


HOSTILE = [*cases("hostile.jsonl"), *cases("own.jsonl")]
BENIGN = cases("benign.jsonl")
KINDS = sorted({case["class"] for case in HOSTILE})


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as started:
        yield started


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_templates_are_stopped_and_benign_ones_beside_them_render(kind: str, worker: Worker) -> None:
    chosen = [case for case in HOSTILE if case["class"] == kind]
    wrong = {case["id"]: said for case in chosen if (said := complaint(case, worker.render(case)))}
    wrong |= {case["id"]: str(got) for case in BENIGN if (got := worker.render(case)).get("text") != case["text"]}
    assert wrong == {}


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for i in range(10 ** 5) %}{% for j in range(10 ** 5) %}{% endfor %}{% endfor %}", "too much work"),
        ("{{ 'x' * 10 ** 10 }}", "too much memory"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "too deeply"),
        ("{{ ''.__class__ }}", "unsafe"),
    ],
)
def test_the_error_says_what_was_too_much(template: str, why: str, worker: Worker) -> None:
    assert why in worker.render({"template": template})["error"]


def test_a_worker_that_dies_is_found_out_and_replaced(worker: Worker) -> None:
    assert worker.render({"template": "x", "variables": "none"}) == {"died": "crashed"}
    assert worker.render({"template": "x"})["text"] == "x"


def test_what_leaks_hangs_grows_or_escapes_is_complained_of() -> None:
    fine = {"text": "", "seconds": 0.1, "grown": 0, "changed": False, "given_changed": False}
    case = {"expect": "bounded"}
    assert complaint(case, fine) == ""
    for bad in ({"seconds": 3.0}, {"grown": 1 << 28}, {"changed": True}, {"given_changed": True}, {"escaped": "x"}):
        assert complaint(case, {**fine, **bad})
    assert complaint({"expect": "blocked"}, fine)
