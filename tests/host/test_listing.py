"""Listing plugins and what they offer loads no heavy library, with all of our plugins installed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = sorted(path.name for path in (Path(__file__).parents[2] / "plugins").glob("roleforge-llm-*"))
HEAVY = {"openai", "httpx2", "httpcore2", "pydantic", "xllamacpp", "tokenizers", "numpy", "huggingface_hub", "asyncio"}

CODE = """
import contextlib, io, json, sys
from roleforge_llm.cli import cli
with contextlib.redirect_stdout(io.StringIO()) as out:
    cli.main({arguments!r}, standalone_mode=False)
print(json.dumps([out.getvalue(), sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


@pytest.mark.parametrize(
    "arguments", [["formats"], ["formats", "--json"], ["plugins"], ["plugins", "--json"], ["--help"]]
)
def test_listing_loads_no_heavy_library(arguments):
    done = subprocess.run([sys.executable, "-c", CODE.format(arguments=arguments)], check=True, capture_output=True)
    printed, loaded = json.loads(done.stdout)
    assert not set(loaded) & HEAVY
    if arguments[0] == "plugins":
        assert [name for name in PLUGINS if name not in printed] == []
