"""docs/commands.md: every command of the host, from the command line itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

import click

from roleforge_llm import PluginHost
from roleforge_llm.cli import cli
from tests.docs.docstrings import as_markdown
from tests.docs.markdown import REPOSITORY

__all__ = ["commands", "page", "plugin_commands"]

_HEAD = """\
# Command line

Every command of `roleforge-llm`, as `roleforge-llm COMMAND --help` tells it. `roleforge-llm --version` tells the version.
Plugins add further commands; their own pages describe them.

- Results go to stdout, always in UTF-8; everything for people goes to stderr, and what is only a warning begins with
  `warning: `. Each failed attempt is a line of its own, `LLM API call failed: …`.
- Exit codes: 0 ok, 1 the call failed or the output could not be written, 2 usage, configuration or messages that cannot
  be sent, 130 interrupted. An error is one line; `--debug` adds the traceback.
- `formats`, `plugins` and `render` need no configuration; one that cannot be read gives a warning, and they go on without
  its plugin settings. A broken file in `templates` costs `formats` only its own row.
- Text that comes in is UTF-8, and a file of `--messages` may have up to 64 MiB. In a conversation held with `chat`, a
  turn that fails is told, and the next one goes on without it.

## Options of every command

"""


def page() -> str:
    """The whole page, in Markdown."""
    shared = _options([option for option in _parameters(cli) if option.name != "version"])
    return f"{_HEAD}{shared}" + "".join(_section(path, command) for path, command in commands())


def commands(command: click.Command = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """The host's own commands, each with its path (``config check``)."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, f"{path} {name}".strip())
    elif command.callback.__module__.startswith("roleforge_llm."):
        yield path, command


def plugin_commands() -> list[tuple[str, str]]:
    """The commands that this repository's plugins add, where installed, each with the README of its plugin."""
    found = []
    for command in PluginHost().commands():
        package = getattr(command.callback, "__module__", "").partition(".")[0]
        readme = REPOSITORY / "plugins" / package.replace("_", "-") / "README.md"
        if readme.is_file():
            found.append((command.name or "", readme.read_text(encoding="utf-8")))
    return found


def _section(path: str, command: click.Command) -> str:
    usage = " ".join(["roleforge-llm", path, *command.collect_usage_pieces(click.Context(command))])
    text = as_markdown(inspect.cleandoc(command.help or "").replace("\b\n", ""))
    shared = {option.name for option in _parameters(cli)}
    own = _options([option for option in _parameters(command) if option.name not in shared])
    return f"\n## {path}\n\n    {usage}\n\n{text}\n" + (f"\n{own}" if own else "")


def _parameters(command: click.Command) -> list[click.Option]:
    context = click.Context(command, help_option_names=["-h", "--help"])
    return [found for found in command.get_params(context) if isinstance(found, click.Option)]


def _options(options: Sequence[click.Option]) -> str:
    """A table of options as click's help shows them, empty without any."""
    records = [option.get_help_record(click.Context(cli)) for option in options]
    rows = "".join(f"| `{_cell(record[0])}` | {_cell(record[1])} |\n" for record in records if record is not None)
    return f"| option | meaning |\n|---|---|\n{rows}" if rows else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
