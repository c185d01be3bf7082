"""Finding a prompt format by its name or path."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from roleforge_llm.errors import FormatNotFound
from roleforge_llm.formats.base import PromptFormat
from roleforge_llm.formats.template import TemplateFormat

__all__ = ["DEFAULT_FORMAT", "FoundFormat", "OfferedFormats", "find_format"]

DEFAULT_FORMAT = "chatml"


class OfferedFormats(Protocol):
    """Where installed formats come from; the plugin host is one."""

    def format_names(self) -> Sequence[str]:
        """The names of all formats."""
        ...

    def format(self, name: str) -> PromptFormat | None:
        """The format of that name, or None. Raises :class:`PluginError` if its plugin is broken or in conflict."""
        ...

    @property
    def overridden(self) -> Collection[str]:
        """The names that configuration allows to be replaced."""
        ...


@attrs.frozen
class FoundFormat:
    """The format to use, and what differs from what was asked for."""

    format: PromptFormat
    warnings: tuple[str, ...] = ()


def find_format(
    name: str, offered: OfferedFormats, folders: Sequence[str | Path] = (), *, strict: bool = False
) -> FoundFormat:
    """The format called *name*, or the template at the path *name*.

    A name with a separator, or ending in ``.jinja``, is a path. Any other name is looked for among *offered*
    and as ``<name>.jinja`` in *folders*; a file that has the name of an offered format is used only if that
    name is overridden. An unknown name gives the default format with a warning; *strict* makes it an error.

    Raises :class:`FormatNotFound`, :class:`TemplateError` for a broken template, :class:`PluginError`.
    """
    if _is_path(name):
        path = os.path.expanduser(name)  # noqa: PTH111  # Path raises for an unknown user
        return FoundFormat(TemplateFormat.from_file(path))
    file = _file_in(folders, name)
    if file and name in offered.overridden:
        return FoundFormat(TemplateFormat.from_file(file, name))
    if (found := offered.format(name)) is not None:
        return FoundFormat(found, (_shadowed(name, file),) if file else ())
    if file:
        return FoundFormat(TemplateFormat.from_file(file, name))
    return _default(_unknown(name, offered, folders), offered, strict)


def _is_path(name: str) -> bool:
    return name.endswith(".jinja") or any(separator in name for separator in ("/", "\\", os.sep))


def _file_in(folders: Sequence[str | Path], name: str) -> Path | None:
    for folder in folders:
        root = Path(folder).resolve()
        try:
            file = (root / f"{name}.jinja").resolve(strict=True)
        except (OSError, ValueError):
            continue
        # A link may lead out of the folder, which a bare name must not.
        if file.is_file() and file.is_relative_to(root):
            return file
    return None


def _shadowed(name: str, file: Path) -> str:
    return (
        f"the file {file} is not used, because an installed format is called {name!r}; "
        f"rename it, name it by its path, or list {name!r} under override in [plugins]"
    )


def _unknown(name: str, offered: OfferedFormats, folders: Sequence[str | Path]) -> str:
    names = sorted(
        {*offered.format_names(), *(file.stem for folder in folders for file in Path(folder).glob("*.jinja"))}
    )
    folded = {known.casefold(): known for known in names}
    near = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(names) or 'none'}"
    where = " and ".join(["the installed formats", *(str(folder) for folder in folders)])
    return f"no prompt format is called {name!r:.80}; {hint} (looked in {where})"


def _default(problem: str, offered: OfferedFormats, strict: bool) -> FoundFormat:
    if strict:
        raise FormatNotFound(problem)
    if (fallback := offered.format(DEFAULT_FORMAT)) is None:
        raise FormatNotFound(f"{problem}; {DEFAULT_FORMAT!r}, used in such a case, is not installed or disabled")
    return FoundFormat(fallback, (f"{problem}; using {DEFAULT_FORMAT!r}",))
