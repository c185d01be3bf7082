"""What in a configuration leads somewhere: to its own profiles, into its templates folder, to a server."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from roleforge_llm.config.wording import Suggestions, joined, shown
from roleforge_llm.errors import Fault
from roleforge_llm.profiles import Profile, url_warning

__all__ = ["reference_faults", "template_faults", "url_warnings"]

_DEFAULT = ("default_profile", "defaultProfile")
_FALLBACKS = ("fallback_profiles", "fallbackProfiles")


def reference_faults(data: Mapping[object, object], suggestions: Suggestions) -> Iterator[Fault]:
    """What is wrong with the names of profiles in *data*, as read: other faults of it do not hide these."""
    profiles = data.get("profiles")
    if profiles is None or profiles == {}:
        yield Fault("profiles", "is missing or empty; give at least one, such as [profiles.local] with a baseURL")
    if not isinstance(profiles, Mapping):
        return
    known = dict.fromkeys(name for name in profiles if isinstance(name, str))
    for key in _DEFAULT:
        if known and isinstance(name := data.get(key), str) and name not in known:
            yield Fault(key, suggestions.no_profile(name, known))
    for name, table in profiles.items():
        if isinstance(table, Mapping):
            yield from _fallback_faults(name, table, known, suggestions)


def _fallback_faults(
    name: object, table: Mapping[object, object], known: Collection[str], suggestions: Suggestions
) -> Iterator[Fault]:
    for key in _FALLBACKS:
        listed = table.get(key)
        for index, other in enumerate(listed if isinstance(listed, list | tuple) else ()):
            path = f"{joined(joined('profiles', str(name)), key)}[{index}]"
            if other == name:
                yield Fault(path, f"the profile {shown(other)} falls back to itself; name another one or leave it out")
            elif isinstance(other, str) and other not in known:
                yield Fault(path, suggestions.no_profile(other, known))


def template_faults(data: Mapping[object, object], folder: Path) -> Iterator[Fault]:
    """Bare names of formats in *data* whose file in the templates *folder* is a link out of it."""
    profiles = data.get("profiles")
    leads_out: dict[object, bool] = {}
    for name, table in profiles.items() if isinstance(profiles, Mapping) and folder.is_dir() else ():
        template = table.get("template") if isinstance(table, Mapping) else None
        if isinstance(template, str) and re.fullmatch(r"[\w. +-]+", template):
            if template not in leads_out:
                leads_out[template] = _leads_out(folder, template)
            if leads_out[template]:
                path = f"{joined('profiles', str(name))}.template"
                yield Fault(path, f"{shown(template)} is a link that leads out of {folder}; give the file's path")


def url_warnings(profiles: Iterable[Profile]) -> tuple[str, ...]:
    """Base URLs that name what a request adds to them."""
    return tuple(
        f"{joined('profiles', profile.name)}.base_url: {warning}"
        for profile in profiles
        if profile.base_url is not None and (warning := url_warning(profile.base_url))
    )


def _leads_out(folder: Path, name: str) -> bool:
    root = folder.resolve()
    file = folder / f"{name}.jinja"
    return file.is_symlink() and not file.resolve().is_relative_to(root)
