"""The command group: its own commands, and those that plugins add. Nothing is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

from roleforge_llm._version import __version__
from roleforge_llm.cli.options import Settings, every_command

__all__ = ["cli"]

_COMMANDS = {
    "formats": "formats:formats",
    "render": "formats:render",
    "chat": "chat:chat",
    "batch": "batch:batch",
    "explain": "inspection:explain",
    "plan": "inspection:plan",
    "plugins": "inspection:plugins",
    "config": "configuration:config",
    "init": "configuration:init",
    "check-format": "check_format:check_format",
}


class _Group(click.Group):
    """Finds its commands by name, and asks plugins only for those that are not its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        added = sorted(command.name or "" for command in _added(ctx))
        return [*_COMMANDS, *(name for name in added if name not in _COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (where := _COMMANDS.get(cmd_name)) is not None:
            module, _, name = where.partition(":")
            command: click.Command = getattr(import_module(f"roleforge_llm.cli.{module}"), name)
            return command
        return ctx.ensure_object(Settings).host().command(cmd_name)


def _added(context: click.Context) -> list[click.Command]:
    return list(context.ensure_object(Settings).host().commands())


# click keeps the lines of a paragraph that begins with \\b; a docstring with that character would be unreadable.
_HELP = """A conversation in, a reply out, from whatever model server you have.

\b
Start with:
  roleforge-llm init             find model servers, write a configuration
  roleforge-llm chat "Hello"     get a reply
  roleforge-llm explain "Hello"  see every byte that would be sent
  roleforge-llm render --format alpaca --user "Hello"
"""


@click.group(cls=_Group, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="roleforge-llm")
@every_command
def cli() -> None:
    """The command line; each command is in the module that _COMMANDS names."""
