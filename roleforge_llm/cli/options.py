"""Options that every command takes, and what follows from them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
import click

from roleforge_llm.cli.output import reserve_stdout, say
from roleforge_llm.errors import ConfigError

if TYPE_CHECKING:
    from roleforge_llm.client import Client
    from roleforge_llm.config import Config
    from roleforge_llm.host import PluginHost

__all__ = ["Settings", "every_command", "json_option", "tell_log"]

F = TypeVar("F", bound=Callable[..., object])


@attrs.define
class Settings:
    """What the options say; kept on click's context."""

    config: str | None = None
    debug: bool = False
    _warned: set[str] = attrs.field(factory=set, init=False)

    def host(self) -> PluginHost:
        """The plugin host that the configuration allows. A broken configuration only costs its plugin settings."""
        from roleforge_llm.config import plugin_settings
        from roleforge_llm.host import PluginHost, default_host

        try:
            settings = plugin_settings(self._readable())
        except ConfigError as error:
            self._warn_once(f"{_one_line(error)}; going on without its plugin settings")
            return default_host()
        if not settings.disable and not settings.override:
            return default_host()
        return PluginHost(disabled=settings.disable, overridden=settings.override)

    def _readable(self) -> Path | None:
        """The configuration file, if there is one. Raises :class:`ConfigError` for one that cannot be read."""
        from roleforge_llm.config import find_config
        from roleforge_llm.config.reading import read_table

        found = find_config(self.config)
        if found is not None:
            read_table(found)
        return found

    def _warn_once(self, warning: str) -> None:
        """One command may need several hosts; what is wrong is told for the first."""
        if warning not in self._warned:
            self._warned.add(warning)
            say(f"warning: {warning}")

    def template_folders(self) -> tuple[Path, ...]:
        """The templates folder beside the configuration file, if there is one."""
        from roleforge_llm.config import find_config

        try:
            found = find_config(self.config)
        except ConfigError:
            return ()
        folder = found.parent / "templates" if found is not None else None
        return (folder,) if folder is not None and folder.is_dir() else ()

    def read_config(self) -> Config:
        """The configuration; its warnings are told."""
        from roleforge_llm.client.core import read_config

        config = read_config(self.config)
        for warning in config.warnings:
            say(f"warning: {warning}")
        return config

    def client(self) -> Client:
        """A client for the configuration."""
        from roleforge_llm.client import Client

        tell_log()
        return Client(self.read_config())


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Keep the option's value on the context, wherever on the command line it was given."""
    settings = context.ensure_object(Settings)
    if value and parameter.name == "config":
        settings.config = str(value)
    if value and parameter.name == "debug":
        settings.debug = True
        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")


def _reserve(context: click.Context, parameter: click.Parameter, value: bool) -> bool:  # noqa: ARG001  # click's call
    """Keep stdout for the JSON that is asked for."""
    if value:
        reserve_stdout(context)
    return value


def _one_line(error: ConfigError) -> str:
    return " ".join(str(error).split())


class _Told(logging.Formatter):
    """A log record for people: warnings say that they are, but for the lines of failed attempts, which stand alone."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if text.startswith("LLM API call ") else f"{record.levelname.lower()}: {text}"


def tell_log(*, attempts: bool = True) -> None:
    """Show warnings on stderr, and each failed attempt as it happens, unless *attempts* are told elsewhere.

    stamina's own record of the same waits is shown only with --debug.
    """
    shown = logging.StreamHandler()
    shown.setFormatter(_Told())
    if not attempts:
        shown.addFilter(lambda record: not record.getMessage().startswith("LLM API call "))
    logging.basicConfig(level=logging.WARNING, handlers=[shown])
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.getLogger("stamina").setLevel(logging.ERROR)


_config = click.option(
    "--config",
    metavar="FILE",
    expose_value=False,
    callback=_remember,
    help="The configuration file to use instead of the one that is found.",
)
_debug = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Log everything to stderr, and show a traceback on errors.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, callback=_reserve, help="Print JSON, and nothing else, on stdout."
)


def every_command(function: F) -> F:
    """Give a command the options that every command takes."""
    return _config(_debug(function))
