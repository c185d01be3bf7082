"""The command group: its own commands, and those that plugins add. Nothing is imported before it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import click

from roleforge_llm._version import __version__
from roleforge_llm.cli.options import Settings, every_command
from roleforge_llm.cli.output import CommandFailed, exit_code, say

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
    "new-plugin": "new_plugin:new_plugin",
}


class _Group(click.Group):
    """Finds its commands by name, and asks plugins only for those that are not its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        added = sorted(command.name or "" for command in _added(ctx) if _can_be_listed(command))
        return [*_COMMANDS, *(name for name in added if name not in _COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if (where := _COMMANDS.get(cmd_name)) is not None:
            module, _, name = where.partition(":")
            command: click.Command = getattr(import_module(f"roleforge_llm.cli.{module}"), name)
            return command
        return ctx.ensure_object(Settings).host().command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        chosen = ctx.ensure_object(Settings).config
        if chosen is not None and name not in _COMMANDS:
            ctx.with_resource(_configured(chosen))
        return name, command, rest

    def invoke(self, ctx: click.Context) -> None:
        # What a command returns is no exit code, as in click's own mode.
        try:
            super().invoke(ctx)
        except SystemExit as error:
            # Ours end by returning or raising; what a plugin's own command does is its own affair.
            if ctx.invoked_subcommand in _COMMANDS:
                raise CommandFailed(f"a plugin has tried to end the program, with exit code {error.code!r}") from error
            raise
        except Exception as error:
            if exit_code(error) is not None or ctx.invoked_subcommand in _COMMANDS:
                raise
            raise _failed(ctx, error) from error


@contextmanager
def _configured(path: str) -> Iterator[None]:
    """Let a plugin's command find the configuration at *path* where ``Client.from_config`` looks for it."""
    from roleforge_llm.config.finding import VARIABLE

    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = path
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def _failed(context: click.Context, error: Exception) -> CommandFailed:
    """What to tell of *error*, which ended a plugin's command and is none of ours."""
    from roleforge_llm.host import OfferKind
    from roleforge_llm.host.isolation import described

    name = context.invoked_subcommand or ""
    provider = context.ensure_object(Settings).host().provider(OfferKind.COMMAND, name)
    owner = f" of {provider.title}" if provider else ""
    return CommandFailed(f"the command {name!r}{owner} failed: {described(error)}; --debug shows where")


def _can_be_listed(command: click.Command) -> bool:
    """Whether the help can show it. One that cannot be shown is called all the same."""
    from roleforge_llm.host.isolation import described

    try:
        return command.hidden or isinstance(command.get_short_help_str(), str)
    except Exception as error:  # noqa: BLE001  # a plugin's own command
        say(f"warning: the command {command.name} cannot be listed: {described(error)}")
        return False


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
