"""Type checkers accept what plugin authors and applications write correctly, and refuse what is wrong, from outside."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GOOD = sorted((HERE / "good").glob("*.py"))
BAD = sorted((HERE / "bad").glob("*.py"))


def checker_or_skip(name):
    """Skips where the checker cannot run, unless REQUIRE_<NAME> says that it must."""
    command = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if (
        command
        and subprocess.run([command, "--version"], capture_output=True, timeout=300, check=False).returncode == 0
    ):
        return command
    reason = f"{name} does not run here; pip install 'roleforge-llm[dev]'"
    if os.environ.get(f"REQUIRE_{name.upper()}"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """The Python of an environment where the built wheel, not the checkout, is what type checkers find."""
    folder = tmp_path_factory.mktemp("typing")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=False)
    (site,) = (folder / "venv").rglob("site-packages")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    others = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(f"{others}\n")
    return folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.fixture(scope="session")
def mypy_errors(python, tmp_path_factory):
    command = checker_or_skip("mypy")
    folder = tmp_path_factory.mktemp("mypy")
    files = [*GOOD, *BAD]
    errors = {}
    for group in (GOOD, BAD):
        options = ["--strict", "--config-file=", "--python-executable", python, "--cache-dir", folder / "cache"]
        done = subprocess.run([command, *options, *group], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        for path, line, text in re.findall(r"^(.+?\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE):
            errors.setdefault(Path(folder, path).resolve(), {})[int(line)] = text
    return {path: errors.get(path, {}) for path in files}


@pytest.fixture(scope="session")
def pyright_errors(python, tmp_path_factory):
    command = checker_or_skip("pyright")
    folder = tmp_path_factory.mktemp("pyright")
    options = ["--outputjson", "--pythonpath", python]
    done = subprocess.run([command, *options, *GOOD, *BAD], cwd=folder, capture_output=True, text=True, check=False)
    errors = {path: {} for path in [*GOOD, *BAD]}
    for found in json.loads(done.stdout)["generalDiagnostics"]:
        if found["severity"] == "error":
            errors[Path(found["file"])][found["range"]["start"]["line"] + 1] = found["message"]
    return errors


def wrong_lines(path):
    return {number for number, line in enumerate(path.read_text().splitlines(), 1) if line.endswith("# wrong")}


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_mypy_strict_accepts(path, mypy_errors):
    assert mypy_errors[path] == {}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_mypy_strict_refuses(path, mypy_errors):
    assert set(mypy_errors[path]) == wrong_lines(path), mypy_errors[path]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_pyright_accepts(path, pyright_errors):
    assert pyright_errors[path] == {}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_pyright_refuses(path, pyright_errors):
    assert set(pyright_errors[path]) == wrong_lines(path), pyright_errors[path]
