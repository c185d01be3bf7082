"""Prompts for rows, with no server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from roleforge_llm.batch.results import BatchResult
from roleforge_llm.batch.rows import BatchRow, profile_of
from roleforge_llm.config import Config
from roleforge_llm.errors import ConfigError, Fault, RoleforgeError
from roleforge_llm.formats import DEFAULT_FORMAT, SERVER, PromptFormat, find_format
from roleforge_llm.guard import ForgedTurns
from roleforge_llm.host import PluginHost
from roleforge_llm.messages import Prompt, conversation
from roleforge_llm.profiles import Profile
from roleforge_llm.rendering import render_guarded

__all__ = ["ProfilePrompts", "PromptMaker", "rendered"]


@attrs.frozen
class PromptMaker:
    """How a row becomes a prompt. *warnings* go with each."""

    format: PromptFormat
    warnings: tuple[str, ...] = ()
    variables: Mapping[str, object] | None = None
    forged_turns: ForgedTurns = "escape"

    def prompt(self, row: BatchRow) -> Prompt:
        """The prompt of *row*. Raises an error of ours."""
        made = render_guarded(self.format, conversation(row.messages), self.variables, forged_turns=self.forged_turns)
        return Prompt(made.text, tuple(self.format.stop), self.format.name, (*self.warnings, *made.warnings))


def rendered(row: BatchRow, maker_of: Callable[[BatchRow], PromptMaker]) -> BatchResult:
    """The prompt of *row*, or what is wrong with it."""
    try:
        prompt = maker_of(row).prompt(row)
    except RoleforgeError as error:
        return BatchResult(row.line, row.id, error=error, checksum=row.checksum)
    return BatchResult(row.line, row.id, prompt=prompt, checksum=row.checksum)


class ProfilePrompts:
    """Finds how each row becomes a prompt by its profile; *default* is for rows that name none."""

    def __init__(self, config: Config, host: PluginHost, default: str | None) -> None:
        self._config = config
        self._host = host
        self._default = default
        self._makers: dict[str, PromptMaker] = {}

    def __call__(self, row: BatchRow) -> PromptMaker:
        """How *row* becomes a prompt. Raises an error of ours."""
        return self.of(profile_of(row, self._config, self._default))

    def of(self, name: str) -> PromptMaker:
        """The prompts of the profile *name*. Raises :class:`ConfigError` where its server makes them."""
        if (found := self._makers.get(name)) is None:
            found = self._makers[name] = _maker(self._config, self._host, self._config.profile(name))
        return found


def _maker(config: Config, host: PluginHost, profile: Profile) -> PromptMaker:
    name = profile.template
    if name is None and profile.effective_endpoint == "completions":
        name = DEFAULT_FORMAT
    if name is None or name == SERVER:
        message = "its server renders the messages; name a prompt format with --format, or a template in the profile"
        raise ConfigError([Fault(f"profiles.{profile.name}", message)])
    base = config.source.parent if config.source is not None else None
    found = find_format(name, host, config.template_folders, strict=config.strict_templates, base=base)
    return PromptMaker(found.format, tuple(found.warnings), profile.template_variables, profile.forged_turns)
