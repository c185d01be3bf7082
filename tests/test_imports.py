"""Which way imports run, what is loaded when, and how long modules are."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "roleforge_llm"
PLUGINS = ROOT / "plugins"

ORDER = (
    "errors",
    "prefixes",
    "messages",
    "profiles",
    "attempts",
    "policies",
    "backends",
    "transport",
    "sandbox",
    "formats",
    "guard",
    "config",
    "hooktypes",
    "hookspecs",
    "host",
    "rendering",
    "batch",
    "client",
    "cli",
    "testing",
)
"""The modules of the host: each may import only those that stand above it."""

LONGEST = 310
"""Lines of a module."""

BESIDE = {"__init__", "__main__", "_loading", "_version"}
"""The package's two faces, how modules are loaded, and a constant."""

HEAVY = {
    "asyncio": "only async calls need it",
    "cattrs": "only reading configuration needs it",
    "click": "a library has no command line",
    "difflib": "only an unknown name needs it",
    "fcntl": "only Unix has it",
    "httpcore2": "only sending needs it",
    "httpx2": "only sending needs it",
    "importlib.metadata": "only finding plugins needs it",
    "json": "a command that prints no JSON does without",
    "logging": "only something to log needs it",
    "openai": "only sending needs it",
    "packaging": "only a plugin that asks for a version needs it",
    "pwd": "only Unix has it",
    "rich": "only a progress bar on a terminal needs it",
    "stamina": "only calls need it",
    "tomllib": "only reading TOML needs it",
}
"""Libraries that a function may load late, and why it should."""

LATE = {
    "attempts": "needs profiles, which a host without calls does without",
    "backends": "needs profiles, as above",
    "batch": "only a batch needs it",
    "cli": "one command must not load the others",
    "client": "loads stamina and all that sending needs",
    "config": "loads cattrs",
    "formats": "loads Jinja",
    "host": "finds plugins",
    "messages": "a command without a conversation does without",
    "policies": "needs profiles, as above",
    "profiles": "builds large classes",
    "rendering": "loads Jinja",
    "sandbox": "loads Jinja",
    "testing": "pytest starts without it",
    "transport": "loads the HTTP libraries",
}
"""Modules of ours that a function may load late, and why it should."""


def imports(path):
    """(imported module, whether late, line) of every import that runs in *path*."""
    found = []

    def visit(node, late):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in node.orelse:
                visit(child, late)
            return
        if isinstance(node, ast.ImportFrom):
            found.append((node.module, late, node.lineno, [alias.name for alias in node.names]))
        elif isinstance(node, ast.Import):
            found.extend((alias.name, late, node.lineno, []) for alias in node.names)
        late = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for child in ast.iter_child_nodes(node):
            visit(child, late)

    visit(ast.parse(path.read_text(encoding="utf-8")), late=False)
    return found


def module_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def targets(name, names):
    """The host's modules that ``from <name> import <names>`` loads."""
    parts = name.split(".")
    if parts[0] != "roleforge_llm":
        return []
    return [parts[1]] if len(parts) > 1 else [imported for imported in names if imported in ORDER]


SOURCES = sorted(PACKAGE.rglob("*.py"))
PLUGIN_SOURCES = sorted(path for path in PLUGINS.rglob("*.py") if "build" not in path.parts)


def ids(path):
    return str(path.relative_to(ROOT))


def test_every_module_has_its_place_in_the_order():
    assert {module_of(path) for path in SOURCES} - BESIDE == set(ORDER)


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_imports_run_only_upwards(path):
    """Late ones included: a cycle that is closed by a function's import is still a cycle."""
    own = module_of(path)
    if own in BESIDE:
        return
    wrong = [
        f"line {line}: {target}"
        for name, _, line, names in imports(path)
        for target in targets(name, names)
        if target not in BESIDE and target != own and ORDER.index(target) > ORDER.index(own)
    ]
    assert not wrong


@pytest.mark.parametrize("path", SOURCES, ids=ids)
def test_late_imports_have_a_reason(path):
    own = module_of(path)
    wrong = []
    for name, late, line, names in imports(path):
        if not late:
            continue
        ours = targets(name, names)
        known = all(target in LATE or target == own for target in ours) if ours else is_heavy(name)
        if not known:
            wrong.append(f"line {line}: {name}")
    assert not wrong


def is_heavy(name):
    return any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)


def test_no_cycles_inside_a_package():
    for folder in sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").exists()):
        prefix = f"roleforge_llm.{folder.name}."
        edges = {
            path.stem: {
                name.removeprefix(prefix).split(".")[0]
                for name, late, _, _ in imports(path)
                if name.startswith(prefix) and not late
            }
            for path in folder.glob("*.py")
        }
        while free := [module for module, needs in edges.items() if not needs & (edges.keys() - {module})]:
            for module in free:
                del edges[module]
        assert not edges, f"{folder.name}: {sorted(edges)}"


@pytest.mark.parametrize("path", [*SOURCES, *PLUGIN_SOURCES], ids=ids)
def test_a_module_is_short_enough_to_read(path):
    if "tests" in path.parts:
        return
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST


@pytest.mark.parametrize("path", PLUGIN_SOURCES, ids=ids)
def test_plugins_use_only_what_is_public(path):
    wrong = []
    for name, _, line, names in imports(path):
        if name.split(".")[0] != "roleforge_llm":
            continue
        private = any(part.startswith("_") for part in name.split("."))
        public = importlib.import_module(name).__all__
        wrong += [
            f"line {line}: {name}.{each}" for each in names or [name] if private or (names and each not in public)
        ]
    assert not wrong


# ---------------------------------------------------------------------- what is loaded

HTTP = {"openai", "httpx2", "httpx", "httpcore2", "httpcore", "h11", "pydantic", "anyio", "asyncio", "ssl"}
HI = '[{"role": "user", "content": "Hi"}]'
COMMAND = "from roleforge_llm.cli import cli; cli.main({arguments!r}, standalone_mode=False)"

LOADED = """
import contextlib, io, json, sys
with contextlib.redirect_stdout(io.StringIO()):
    {code}
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded_by(code):
    run = subprocess.run(
        [sys.executable, "-c", LOADED.format(code=code)], check=True, capture_output=True, text=True, cwd=ROOT / "tests"
    )
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "code",
    [
        "import roleforge_llm",
        f"import roleforge_llm as rf; rf.render({HI})",
        COMMAND.format(arguments=["formats"]),
        COMMAND.format(arguments=["render", "--format", "alpaca", "--user", "Hi"]),
        COMMAND.format(arguments=["plugins", "--json"]),
    ],
    ids=["import", "rf.render", "formats", "render", "plugins"],
)
def test_what_sends_nothing_loads_no_http_library(code):
    loaded = loaded_by(code)
    assert not loaded & HTTP
    assert "cattrs" not in loaded


def test_importing_the_package_discovers_no_plugins():
    loaded = loaded_by("import roleforge_llm")
    assert not loaded & {"pluggy", "jinja2", "click", "attr", "roleforge_llm_builtin"}
