"""Fresh environments in which ours and others' distributions are installed by pip.

Third-party dependencies are linked from the environment that runs the tests, so that pip resolves them without
a network; roleforge-llm and its plugins come only from what the tests build.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEIRS = ROOT / "tests" / "data" / "plugins"


def attempt(*arguments, cwd, **environment):
    """Runs a command, whatever comes of it."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "ROLEFORGE", "PIP_"))}
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        env={**clean, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run(*arguments, cwd, **environment):
    done = attempt(*arguments, cwd=cwd, **environment)
    assert done.returncode == 0, f"{arguments}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Environment:
    """A virtual environment outside the repository."""

    def __init__(self, folder, dependencies):
        self.folder = folder
        venv.create(folder / "venv", with_pip=False)
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        (site,) = (folder / "venv").rglob("site-packages")
        (site / "dependencies.pth").write_text(f"{dependencies}\n")

    def install(self, *what):
        python = ["--python", self.bin / "python"]
        flags = ["--no-index", "--no-build-isolation", "--quiet"]
        run(sys.executable, "-m", "pip", *python, "install", *flags, *what, cwd=self.folder)

    def roleforge(self, *arguments, **environment):
        return run(self.bin / "roleforge-llm", *arguments, cwd=self.folder, **environment)

    def attempt(self, *arguments, **environment):
        return attempt(self.bin / "roleforge-llm", *arguments, cwd=self.folder, **environment)

    def json(self, *arguments, **environment):
        return json.loads(self.roleforge(*arguments, "--json", **environment))

    def python(self, code):
        return json.loads(run(self.bin / "python", "-c", code, cwd=self.folder))


@pytest.fixture(scope="session")
def dependencies(tmp_path_factory):
    """Links to all that is installed here but our own distributions."""
    folder = tmp_path_factory.mktemp("dependencies")
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not path.name.startswith(("roleforge", "_roleforge", "_virtualenv", "distutils-precedence")):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory, dependencies):
    return lambda: Environment(tmp_path_factory.mktemp("environment"), dependencies)


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Builds a source folder into a wheel or an sdist and gives its path."""

    def built(source, target="wheel"):
        folder = tmp_path_factory.mktemp("dist")
        run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)
        (path,) = folder.iterdir()
        return path

    return built


@pytest.fixture(scope="session")
def our_wheel(build):
    return build(ROOT)


@pytest.fixture(scope="session")
def with_theirs(new_environment, build, our_wheel):
    """An environment with our wheel and the wheels of three strangers' plugins."""
    environment = new_environment()
    environment.install(our_wheel, *(build(folder) for folder in sorted(THEIRS.glob("their-*"))))
    return environment
