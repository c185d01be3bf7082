"""What it costs to begin: importing the package, rendering a first prompt, and a whole command.

python benchmarks/start_import.py
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from harness import Contender, Row, command, compare, main

SCRIPT = str(Path(sysconfig.get_path("scripts"), "roleforge-llm"))
PASS = "pass"
PROMPT = '[{"role": "user", "content": "Say hello."}]'
TRANSFORMERS = f"""
from transformers.utils.chat_template_utils import render_jinja_template
render_jinja_template([{PROMPT}], chat_template="{{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}")
"""

# Else nothing that was changed since it was last run would have its bytecode, which no user is without.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def rows() -> Iterator[Row]:
    """One row for each."""
    yield compare(
        "import roleforge_llm",
        against=_code("python -c pass", PASS),
        ours=_code("roleforge-llm", "import roleforge_llm", "roleforge-llm"),
        peers=[
            _code("openai", "import openai", "openai"),
            _code("litellm", "import litellm", "litellm"),
            _code("langchain-openai", "import langchain_openai", "langchain-openai"),
            _code("any-llm", "import any_llm", "any-llm-sdk"),
            _code("llm", "import llm", "llm"),
        ],
        target=4.5,
    )
    yield compare(
        "import, then render one prompt",
        against=_code("python -c pass", PASS),
        ours=_code("roleforge-llm", f"import roleforge_llm; roleforge_llm.render({PROMPT})", "roleforge-llm"),
        peers=[_code("transformers", TRANSFORMERS, "transformers")],
        target=12,
    )
    yield compare(
        "the whole command roleforge-llm formats",
        against=_code("python -c pass", PASS),
        ours=command("roleforge-llm", SCRIPT, "formats", distribution="roleforge-llm"),
        peers=[command("llm models", sys.executable, "-m", "llm", "models", distribution="llm")],
        target=12,
    )


def _code(name: str, code: str, distribution: str | None = None) -> Contender:
    return command(name, sys.executable, "-c", code, distribution=distribution)


if __name__ == "__main__":
    main(rows)
