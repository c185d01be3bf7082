"""Writing the folder of a new plugin: all of it, or nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from roleforge_llm.errors import ConfigError, Fault

__all__ = ["write_plugin"]


def write_plugin(target: Path, files: Mapping[str, str]) -> None:
    """Write *files* (text by path) into the folder *target*, which must be empty or not there yet.

    They are written into a hidden folder on the same disk first, and moved when all are there: an error or an
    interruption leaves nothing behind. Raises :class:`ConfigError`.
    """
    try:
        _check_free(target)
        place = target if target.is_dir() else target.parent
        _write_all(place / f".{os.getpid()}.{target.name}", target, files)
    except OSError as error:
        raise _fault(target, f"cannot be written: {error.strerror}") from None


def _check_free(target: Path) -> None:
    if not target.parent.is_dir():
        raise _fault(target, f"there is no folder {target.parent} to make it in")
    if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        raise _fault(target, "is there already, and nothing is overwritten; name another folder with --directory")


def _fault(target: Path, message: str) -> ConfigError:
    return ConfigError([Fault("", message)], str(target))


def _write_all(unfinished: Path, target: Path, files: Mapping[str, str]) -> None:
    try:
        for path, text in files.items():
            _write(unfinished / path, text)
        _move(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")


def _move(made: Path, target: Path) -> None:
    if not target.is_dir():
        made.rename(target)
        return
    # A folder that is there stays the same one: it may be a mount, or where somebody's shell is.
    moved: list[Path] = []
    try:
        for item in sorted(made.iterdir()):
            item.rename(target / item.name)
            moved.append(item)
    except BaseException:
        for item in moved:
            (target / item.name).rename(item)
        raise
