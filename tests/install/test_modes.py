"""The package works the same from a wheel, from an sdist, and editable."""

import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.install

ROOT = Path(__file__).parents[2]
BUILTIN = ["alpaca", "chatml", "llama2", "vicuna"]


@pytest.fixture(params=["wheel", "sdist", "editable"])
def installed(request, new_environment, build):
    environment = new_environment()
    environment.install(*(["-e", ROOT] if request.param == "editable" else [build(ROOT, request.param)]))
    return environment


def test_every_install_mode_gives_the_builtin_plugins(installed):
    assert [row["name"] for row in installed.json("formats")] == BUILTIN
    rendered = installed.json("render", "--format", "alpaca", "--user", "Hi")
    assert rendered["text"] == "### Instruction:\nHi\n### Response:\n"
    (plugin,) = installed.json("plugins")
    assert (plugin["name"], plugin["distribution"], plugin["status"]) == ("builtin", "roleforge-llm", "loaded")


def test_the_wheel_holds_what_it_needs_and_nothing_else(our_wheel):
    with zipfile.ZipFile(our_wheel) as wheel:
        names = set(wheel.namelist())
    assert {f"roleforge_llm_builtin/templates/{name}.jinja" for name in BUILTIN} <= names
    assert {"roleforge_llm/py.typed", "roleforge_llm_builtin/py.typed"} <= names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"roleforge_llm", "roleforge_llm_builtin"}
