"""Distributions written into a folder of their own, and Python run with that folder on its path."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


class Site:
    """A folder of installed distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, distribution, source, *, version="1.0", entry_point=None, point_name=None):
        """A distribution of one module, which its entry point names unless *entry_point* says otherwise."""
        module = distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = f"[roleforge_llm]\n{point_name or module} = {entry_point or module}\n"
        (info / "entry_points.txt").write_text(lines)
        (info / "RECORD").write_text(f"{module}.py,,\n")

    def start(self, code, **environment):
        paths = [str(self.folder), os.environ.get("PYTHONPATH", "")]
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code)],
            env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code, **environment):
        """What *code* prints, read as JSON: nothing else may have come on stdout."""
        process = self.start(code, **environment)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return json.loads(out)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


@pytest.fixture(scope="module")
def module_site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("site"))
