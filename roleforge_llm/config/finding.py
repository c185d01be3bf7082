"""Where the configuration file is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from roleforge_llm.errors import ConfigError, Fault

__all__ = ["default_config_path", "find_config"]

VARIABLE = "ROLEFORGE_LLM_CONFIG"
_NAMES = ("roleforge-llm.toml", "roleforge-llm.json")
_BELOW = ("roleforge-llm", _NAMES[0])


def find_config(
    path: str | os.PathLike[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
) -> Path | None:
    """The configuration file to use, or None if there is none.

    Looked for in this order: *path*, the file that ``ROLEFORGE_LLM_CONFIG`` names, ``roleforge-llm.toml`` or
    ``roleforge-llm.json`` in the current folder, the same two in the user's configuration directory.
    Raises :class:`~roleforge_llm.ConfigError` for a file that was asked for and is not there, and for two
    files in one place.
    """
    environ = os.environ if environ is None else environ
    if path is not None:
        return _required(path, "")
    if named := environ.get(VARIABLE):
        return _required(named, f" ({VARIABLE} names it)")
    return _only_one(Path(cwd or "")) or _only_one(default_config_path(environ).parent)


def default_config_path(environ: Mapping[str, str] | None = None) -> Path:
    """Where a first file belongs: ``roleforge-llm/roleforge-llm.toml`` in the user's configuration directory.

    That directory is ``XDG_CONFIG_HOME`` if it is an absolute path, else ``APPDATA`` on Windows, else
    ``~/.config``.
    """
    environ = os.environ if environ is None else environ
    xdg = environ.get("XDG_CONFIG_HOME", "")
    if Path(xdg).is_absolute():
        return Path(xdg, *_BELOW)
    if os.name == "nt" and environ.get("APPDATA"):
        return Path(environ["APPDATA"], *_BELOW)
    return Path(environ.get("HOME") or _expanded("~"), ".config", *_BELOW)


def _required(path: str | os.PathLike[str], who: str) -> Path:
    found = _expanded(path)
    if not _is_there(found):
        raise ConfigError([Fault("", f"there is no such file{who}")], str(path))
    return found


def _only_one(folder: Path) -> Path | None:
    found = [folder / name for name in _NAMES if _is_there(folder / name)]
    if len(found) > 1:
        raise ConfigError([Fault("", f"both {found[0]} and {found[1]} are there; keep one of them")])
    return found[0] if found else None


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  # Path.exists raises where a folder may not be entered


def _expanded(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.expanduser(path))  # noqa: PTH111  # Path.expanduser raises where the user has no home
