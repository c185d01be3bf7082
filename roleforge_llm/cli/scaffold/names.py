"""What a plugin may be called."""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from importlib.util import find_spec
from typing import NamedTuple

from roleforge_llm.errors import PluginError

__all__ = ["PluginName", "plugin_name"]

_PREFIX = "roleforge-llm"
_LONGEST = 40
_ALLOWED = re.compile(r"[A-Za-z0-9._-]")


class PluginName(NamedTuple):
    """The names of a plugin: its own, and by custom those of its *distribution* and its *package*."""

    name: str
    distribution: str
    package: str


def plugin_name(text: str) -> PluginName:
    """The names of the plugin called *text*, which may begin with ``roleforge-llm-``.

    Normalised as package indexes do it: lower case, and one hyphen for any run of hyphens, underscores and dots.
    Raises :class:`PluginError` for what cannot name a plugin, or names one that is installed.
    """
    _check_characters(text)
    normal = re.sub(r"[-_.]+", "-", text).lower()
    name = re.sub(rf"^{_PREFIX}(-|$)", "", normal)
    if (fault := _fault(name)) is not None:
        raise PluginError(f"{text!r} cannot name a plugin: {fault}")
    made = PluginName(name, f"{_PREFIX}-{name}", f"{_PREFIX}-{name}".replace("-", "_"))
    if find_spec(made.package) is not None:
        raise PluginError(f"the package {made.package} is installed already; choose another name, or uninstall it")
    return made


def _check_characters(text: str) -> None:
    # Before anything is normalised: the lower case of some letters, and what they look like, is ASCII.
    if wrong := next((character for character in text if not _ALLOWED.match(character)), None):
        known = unicodedata.name(wrong, "")
        shown = repr(wrong) if wrong.isascii() else f"{wrong!a} ({known})"
        raise PluginError(f"{text!a} cannot name a plugin: it holds {shown}; use ASCII letters, digits and hyphens")


def _fault(name: str) -> str | None:
    if not name:
        return "it is empty"
    if not name[0].isalpha() or name.endswith("-"):
        return "a name begins with a letter and ends with a letter or digit"
    if len(name) > _LONGEST:
        return f"it has more than {_LONGEST} characters"
    word = name.replace("-", "_")
    if keyword.iskeyword(word) or word in sys.stdlib_module_names:
        return "it is a word of Python's own; choose another name"
    return None
