"""Whether a backend can be listed without being loaded; in a process of its own, where nothing is loaded yet."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

from roleforge_llm.backends import BackendSpec
from roleforge_llm.testing.conformance import Broken, Rule

__all__ = ["LISTING", "broken_in_listing"]

_LISTING = Rule(
    "listing",
    "listing the backend loads no library for sending or computing",
    "import such libraries in the module that the factory names as text, and nowhere else",
)
LISTING = _LISTING.name
"""The name of the rule."""

_HEAVY = (
    *("aiohttp", "anthropic", "httpx", "httpx2", "mistralai", "ollama", "openai", "requests", "urllib3"),
    *("llama_cpp", "numpy", "pydantic", "torch", "transformers", "xllamacpp"),
)
_LONGEST = 60
_CODE = """
import importlib, sys
plugin = importlib.import_module(sys.argv[1])
list(getattr(plugin, "roleforge_backends", tuple)())
print(*sorted(set(sys.argv[2:]) & sys.modules.keys()))
"""


def broken_in_listing(spec: BackendSpec) -> Iterator[Broken]:
    """The rule, if *spec* breaks it; a factory that is no text is loaded already."""
    if not isinstance(spec.factory, str):
        return
    package = spec.factory.partition(":")[0].partition(".")[0]
    run = subprocess.run(  # noqa: S603  # this interpreter, and code of ours
        [sys.executable, "-c", _CODE, package, *_HEAVY],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        check=False,
    )
    if run.returncode:
        yield _LISTING.broken(f"import {package}, and list", run.stderr.strip().rpartition("\n")[2])
    elif loaded := run.stdout.strip():
        yield _LISTING.broken(f"import {package}, and list", f"loaded were {', '.join(loaded.split())}")
