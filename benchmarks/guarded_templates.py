"""What the guarded environment costs: rendering 200 messages, beside Jinja's own immutable sandbox.

    python benchmarks/guarded_templates.py

CPU time, the quickest of many short turns taken in alternation, as a ratio to the plain sandbox in the same run.
"""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Callable

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from roleforge_llm.sandbox import Plain, render_template

TURNS = 40
REPEATS = 5

MESSAGES: list[Plain] = [
    {"role": ("user", "assistant")[number % 2], "content": "hello there, how are you today?"} for number in range(200)
]
TEMPLATES = {
    "attributes": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}",
    "items": "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '\n' }}{% endfor %}",
    "branches": "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[U] ' + m['content'] | trim }}"
    "{% elif m['role'] == 'assistant' %}{{ '[A] ' ~ m.content ~ '</s>' }}{% endif %}{% endfor %}",
    "checks": "{% set ns = namespace(n=0) %}{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}"
    "{% set ns.n = ns.n + 1 %}{{ m.content.strip() }}{% endfor %}{{ ns.n }}",
}


def main() -> None:
    """Print one line for each template."""
    print(f"Python {platform.python_version()}, jinja2 {jinja2.__version__}; {len(MESSAGES)} messages")
    for name, template in TEMPLATES.items():
        plain, guarded = measured(template)
        print(f"{name:<12} plain {plain * 1e3:.3f} ms   guarded {guarded * 1e3:.3f} ms   ratio {guarded / plain:.2f}")


def measured(template: str) -> tuple[float, float]:
    """Seconds of CPU for one rendering: (plain, guarded)."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True)
    environment.globals["raise_exception"] = str
    compiled = environment.from_string(template)
    variables: dict[str, Plain] = {"messages": MESSAGES}

    def guarded() -> str:
        return render_template("native", template, "benchmark", variables)

    assert guarded() == compiled.render(variables), "what is not the same cannot be compared"
    turns = [(seconds(lambda: compiled.render(variables)), seconds(guarded)) for _ in range(TURNS)]
    return min(plain for plain, _ in turns), min(ours for _, ours in turns)


def seconds(run: Callable[[], object]) -> float:
    """Seconds of CPU for one call of *run*."""
    gc.collect(0)
    start = time.thread_time()
    for _ in range(REPEATS):
        run()
    return (time.thread_time() - start) / REPEATS


if __name__ == "__main__":
    main()
