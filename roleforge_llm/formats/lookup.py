"""Finding a prompt format by its name or path."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import attrs

from roleforge_llm.errors import FormatNotFound
from roleforge_llm.formats.base import PromptFormat
from roleforge_llm.formats.template import TemplateFormat

__all__ = ["DEFAULT_FORMAT", "SERVER", "FoundFormat", "OfferedFormats", "find_format", "is_reference"]

DEFAULT_FORMAT = "chatml"

SERVER = "server"
"""What a profile's ``template`` says to mean the template of its server."""

_DELIMITER = re.compile(r"\{[{%#]")
_PATH = re.compile(r"[/\\]|\.(?:jinja|json|gguf)\Z|\A[^#]*\.(?:jinja|json|gguf)#")


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
    name: str | os.PathLike[str],
    offered: OfferedFormats,
    folders: Sequence[str | Path] = (),
    *,
    strict: bool = False,
    base: str | Path | None = None,
) -> FoundFormat:
    """The format called *name*, the template at the path *name*, or the template whose text *name* is.

    A name with Jinja's delimiters is a template's text. One with a separator, or the suffix of a template or
    model file, is a path, from *base* on if it is relative; ``path#name`` picks one of a model's templates. Any
    other name is looked for among *offered* and as ``<name>.jinja`` in *folders*; a file that has the
    name of an offered format is used only if that name is overridden. An unknown name gives the default format
    with a warning; *strict* makes it an error. An ``os.PathLike`` is a path, whatever it looks like.

    Raises :class:`FormatNotFound`, also for a *name* that is neither text nor path, :class:`TemplateError` for a
    broken template, :class:`PluginError`.
    """
    if isinstance(name, os.PathLike):
        return FoundFormat(_from_path(os.fsdecode(name), base))
    if not isinstance(name, str):
        raise FormatNotFound(
            f"a format is a name, the path of a template or a template's text, not {type(name).__name__}; "
            f'give text such as "{DEFAULT_FORMAT}" or a pathlib.Path'
        )
    if _is_text(name):
        return FoundFormat(_from_text(name))
    if _is_path(name):
        return FoundFormat(_from_path(name, base))
    return _named(name, offered, folders, strict)


def _named(name: str, offered: OfferedFormats, folders: Sequence[str | Path], strict: bool) -> FoundFormat:
    if name == SERVER:
        raise FormatNotFound(
            f"{name!r} is the template of a profile's server; it can only stand in a profile, or be compared "
            f"with by `roleforge-llm check-format F --against URL`"
        )
    file = _file_in(folders, name)
    if file and name in offered.overridden:
        return FoundFormat(_from_file(file, name))
    if (found := offered.format(name)) is not None:
        return FoundFormat(found, (_shadowed(name, file),) if file else ())
    if file:
        return FoundFormat(_from_file(file, name))
    return _default(_unknown(name, offered, folders), offered, strict)


def is_reference(name: object) -> bool:
    """Whether *name* stands for something else than a format that is offered under it: no plugin can give it."""
    return isinstance(name, str) and (name == SERVER or _is_text(name) or _is_path(name))


def _is_text(name: str) -> bool:
    return _DELIMITER.search(name) is not None


def _is_path(name: str) -> bool:
    return _PATH.search(name) is not None


# The module that reads templates of all kinds is loaded late: the formats of plugins do without it.


def _from_text(text: str) -> PromptFormat:
    from roleforge_llm.formats.model import completed

    made = TemplateFormat.from_text("inline", text)
    return completed(made) if made.dialect == "hf" else made


def _from_file(file: Path, name: str) -> PromptFormat:
    from roleforge_llm.formats.model import model_format

    return model_format(file, name=name)


def _from_path(name: str, base: str | Path | None) -> PromptFormat:
    from roleforge_llm.formats.model import model_format

    whole = Path(base or "", os.path.expanduser(name))  # noqa: PTH111  # Path raises for an unknown user
    if "#" not in name or whole.exists():
        return model_format(whole)
    path, _, template = str(whole).rpartition("#")
    return model_format(path, template)


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
    import difflib

    stems = {file.stem for folder in folders for file in Path(folder).glob("*.jinja")}
    names = sorted({*offered.format_names(), *(stem for stem in stems if _file_in(folders, stem))})
    folded = {known.casefold(): known for known in names}
    near = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(names) or 'none'}"
    where = " and ".join(["the installed formats", *(str(folder) for folder in folders)])
    if unfit := next((path for path in _paths_in(folders, name) if os.path.lexists(path)), None):
        hint = f"{unfit} is no file, or a link that leads nowhere or out of its folder"
    return f"no prompt format is called {name!r:.80}; {hint} (looked in {where})"


def _paths_in(folders: Sequence[str | Path], name: str) -> list[Path]:
    return [Path(folder, f"{name}.jinja") for folder in folders]


def _default(problem: str, offered: OfferedFormats, strict: bool) -> FoundFormat:
    if strict:
        raise FormatNotFound(problem)
    if (fallback := offered.format(DEFAULT_FORMAT)) is None:
        raise FormatNotFound(f"{problem}; {DEFAULT_FORMAT!r}, used in such a case, is not installed or disabled")
    return FoundFormat(fallback, (f"{problem}; using {DEFAULT_FORMAT!r}",))
