"""What a configuration is once it has been read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from roleforge_llm.config.wording import Suggestions, joined, kind_of, shown
from roleforge_llm.errors import ConfigError, Fault
from roleforge_llm.profiles import Profile

__all__ = ["Config", "PluginSettings"]


@attrs.frozen
class PluginSettings:
    """The ``plugins`` table.

    *disable* lists plugins that are not loaded; *override* lists built-in names that a plugin may replace.
    """

    disable: tuple[str, ...] = ()
    override: tuple[str, ...] = ()


@attrs.frozen
class Config:
    """A whole configuration, checked.

    *profiles* are in the order of the file; *default_profile* is used where a call names none. *plugins* says which
    plugins are not loaded and which names of built-in ones they may replace. *strict_templates* makes a prompt format
    that nobody offers an error. *warnings* are for people. *faults* holds, by profile name, what is wrong with a
    profile only here and now (an unset environment variable): it matters when that profile is reached. *source* is
    the absolute path of the file, None for settings that came from code.

    Raises :class:`~roleforge_llm.ConfigError` for a default profile that is not there, and for a profile under
    another name than its own.
    """

    profiles: Mapping[str, Profile]
    default_profile: str
    plugins: PluginSettings = PluginSettings()
    strict_templates: bool = False
    source: Path | None = None
    faults: Mapping[str, tuple[Fault, ...]] = attrs.field(factory=dict)
    warnings: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        faults = [*self._misnamed()]
        if self.default_profile not in self.profiles:
            faults.append(Fault("default_profile", Suggestions().no_profile(str(self.default_profile), self.profiles)))
        if faults:
            raise ConfigError(faults, str(self.source or ""))

    def _misnamed(self) -> Iterator[Fault]:
        for name, profile in self.profiles.items():
            path = joined("profiles", str(name))
            if not isinstance(profile, Profile):
                yield Fault(path, f"must be a Profile, not {kind_of(profile)}; Client takes a whole table as well")
            elif profile.name != name:
                yield Fault(path, f"is the profile {shown(profile.name)}; write it under its own name")

    def profile(self, name: str | None = None) -> Profile:
        """The profile of that *name*, the default one for None. Raises :class:`~roleforge_llm.ConfigError`."""
        wanted = self.default_profile if name is None else name
        if (found := self.profiles.get(wanted)) is None:
            raise ConfigError([Fault("", Suggestions().no_profile(wanted, self.profiles))], str(self.source or ""))
        return found

    def chain(self, name: str | None = None) -> tuple[Profile, ...]:
        """The requested profile, then its own fallback profiles in order, each once.

        The fallback profiles' own lists are not followed. Raises :class:`~roleforge_llm.ConfigError`.
        """
        first = self.profile(name)
        return tuple(self.profile(each) for each in dict.fromkeys([first.name, *first.fallback_profiles]))

    @property
    def template_folders(self) -> tuple[Path, ...]:
        """The ``templates`` folder beside the configuration file, if there is one."""
        folder = self.source.parent / "templates" if self.source is not None else None
        return (folder,) if folder is not None and folder.is_dir() else ()
