"""From a file or a table to a checked configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import attrs

from roleforge_llm.config.access import file_warnings
from roleforge_llm.config.environment import Expansion
from roleforge_llm.config.model import Config, PluginSettings
from roleforge_llm.config.reading import FOREIGN_SECTIONS, read_table
from roleforge_llm.config.references import reference_faults, template_faults, url_warnings
from roleforge_llm.config.wording import Suggestions, joined, kind_of
from roleforge_llm.errors import ConfigError, Fault
from roleforge_llm.profiles import Profile, Sampler

__all__ = ["load_config", "parse_config", "plugin_settings", "with_overrides"]


def load_config(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in the TOML or JSON file *path*.

    Raises :class:`~roleforge_llm.ConfigError` with everything that is wrong, each with its path.
    """
    source = Path(path).absolute()
    config = parse_config(read_table(source), source=source, environ=environ)
    further = file_warnings(source, source.stat(), config.profiles.values())
    return attrs.evolve(config, warnings=(*config.warnings, *further))


def parse_config(
    data: Mapping[str, object], *, source: Path | None = None, environ: Mapping[str, str] | None = None
) -> Config:
    """The configuration in *data*, a table as a file would hold it. Raises :class:`~roleforge_llm.ConfigError`."""
    from roleforge_llm.config.structure import UnfitError, read_root

    where = str(source or "")
    if not isinstance(data, Mapping):
        raise ConfigError([Fault("", f"must be a table, not {kind_of(data)}")], where)
    table, faults, deferred = _expanded(data, os.environ if environ is None else environ)
    suggestions = Suggestions()
    faults += reference_faults(table, suggestions)
    if source is not None:
        faults += template_faults(table, source.parent / "templates")
    try:
        root = read_root(table)
    except UnfitError as error:
        faults += error.faults(suggestions)
    if faults:
        # What would only matter to some profiles is told along with what must be mended anyway.
        raise ConfigError([*faults, *(fault for found in deferred.values() for fault in found)], where)
    profiles = {name: _profile(found) for name, found in root.profiles.items()}
    return Config(
        profiles=profiles,
        default_profile=root.default_profile if root.default_profile is not None else next(iter(profiles)),
        plugins=root.plugins,
        strict_templates=root.strict_templates,
        source=source,
        faults=deferred,
        warnings=url_warnings(profiles.values()),
    )


def with_overrides(sampler: Sampler, overrides: Mapping[str, object]) -> Sampler:
    """*sampler* with the settings of one call, under the same keys and checks as in a file.

    None leaves a setting to the server. Raises :class:`~roleforge_llm.ConfigError`.
    """
    if not overrides:
        return sampler
    from roleforge_llm.config.structure import UnfitError, fields_given, read_sampler

    try:
        found = read_sampler(overrides)
    except UnfitError as error:
        faults = error.faults(Suggestions())
        raise ConfigError([Fault(f"sampler.{fault.path}", fault.message) for fault in faults]) from None
    if found.force_json:
        raise ConfigError(
            [Fault("sampler", 'has no forceJson in a call; give response_format={"type": "json_object"}')]
        )
    ours = {field.name for field in attrs.fields(Sampler)}
    return attrs.evolve(sampler, **{name: getattr(found, name) for name in fields_given(overrides) if name in ours})


def plugin_settings(path: str | os.PathLike[str] | None) -> PluginSettings:
    """The ``plugins`` table of the file *path*, for what must work whatever is broken: faulty parts count as empty."""
    if path is None:
        return PluginSettings()
    try:
        table = read_table(Path(path)).get("plugins")
    except ConfigError:
        return PluginSettings()
    if not isinstance(table, Mapping):
        return PluginSettings()
    expanded = Expansion(os.environ).table(table, "plugins")
    return PluginSettings(disable=_names(expanded.get("disable")), override=_names(expanded.get("override")))


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name) for name in value if isinstance(name, str)) if isinstance(value, list) else ()


def _expanded(
    data: Mapping[str, object], environ: Mapping[str, str]
) -> tuple[dict[object, object], list[Fault], dict[str, tuple[Fault, ...]]]:
    """*data* without other programs' sections and with the environment in it; faults of all, faults by profile."""
    own = {key: value for key, value in data.items() if key not in FOREIGN_SECTIONS}
    profiles = own.pop("profiles", None)
    common = Expansion(environ)
    table = common.table(own, "")
    if not isinstance(profiles, Mapping):
        return {**table, "profiles": profiles}, [*common.faults, *common.wrong], {}
    found: dict[object, object] = {}
    deferred: dict[str, tuple[Fault, ...]] = {}
    for name, settings in profiles.items():
        expansion = Expansion(environ)
        path = joined("profiles", str(name))
        found[name] = expansion.table(settings, path, secrets=True) if isinstance(settings, Mapping) else settings
        common.wrong += expansion.wrong
        if expansion.faults:
            deferred[name] = tuple(expansion.faults)
    return {**table, "profiles": found}, [*common.faults, *common.wrong], deferred


_PROFILE_FIELDS = tuple(field.name for field in attrs.fields(Profile))
_SAMPLER_FIELDS = tuple(field.name for field in attrs.fields(Sampler))


def _profile(table: Profile) -> Profile:
    """The profile that a file's table describes, without the keys that have no meaning here."""
    settings = {name: getattr(table, name) for name in _PROFILE_FIELDS}
    settings["sampler"] = Sampler(**{name: getattr(table.sampler, name) for name in _SAMPLER_FIELDS})
    settings["template"] = table.template or None
    if getattr(table.sampler, "force_json", False):
        settings["format"] = "json"
    return Profile(**settings)
