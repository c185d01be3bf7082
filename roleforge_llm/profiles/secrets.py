"""References to the environment, and keys that are never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

__all__ = ["Secret", "UnsetVariable", "expand", "reference_fault", "variable"]

_REFERENCE = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})")


class UnsetVariable(ValueError):
    """An environment variable that is not set. Holds the name, never a value.

    *default* says that it was named by a reference ``${NAME}``, which can have a default.
    """

    def __init__(self, name: str, *, default: bool = True) -> None:
        way = f" or write ${{{name}:-default}}" if default else ""
        super().__init__(f"the environment variable {name} is not set; set it{way}")
        self.name = name
        self.default = default

    def __reduce__(self) -> tuple[object, ...]:
        return _unset, (self.name, self.default)


def _unset(name: str, default: bool) -> UnsetVariable:
    return UnsetVariable(name, default=default)


def variable(name: str, environ: Mapping[str, str] | None = None) -> str:
    """What the environment variable *name* holds. Raises :class:`UnsetVariable`."""
    environ = os.environ if environ is None else environ
    if name not in environ:
        raise UnsetVariable(name, default=False)
    return environ[name]


def reference_fault(text: str) -> str | None:
    """What is wrong with the references in *text*, or None. Shows nothing of it, which may be a key."""
    if "${" not in _REFERENCE.sub(" ", text):
        return None
    return "has a ${ that begins no reference; write ${NAME} or ${NAME:-default}, or $$ for a dollar sign"


def expand(text: str, environ: Mapping[str, str] | None = None) -> str:
    """Replace ``${NAME}`` and ``${NAME:-default}`` by the environment, in a single pass; ``$$`` is a dollar.

    What a variable holds is never expanded again. An empty variable counts as unset where a default is
    given, as in a shell. Raises :class:`UnsetVariable`.
    """
    environ = os.environ if environ is None else environ

    def value(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if name is None:
            return "$"
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise UnsetVariable(name)
        return environ[name]

    return _REFERENCE.sub(value, text)


class Secret:
    """A key, or a reference to one (``${NAME}``), that is never shown. *text* is the one or the other.

    A reference is resolved when it is used, so that a pickled profile carries the name and never the
    value. A literal key refuses to pickle.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def is_reference(self) -> bool:
        """Whether all of the text, but for a ``Bearer`` before it, is a reference: nothing of it is secret."""
        match = _REFERENCE.fullmatch(self._text.removeprefix("Bearer "))
        return match is not None and match["name"] is not None and not match["default"]

    def reveal(self, environ: Mapping[str, str] | None = None) -> str:
        """The key itself. Raises a ValueError for a reference to a variable that is not set."""
        return expand(self._text, environ)

    def __str__(self) -> str:
        return self._text if self.is_reference else "***"

    def __repr__(self) -> str:
        return f"Secret({self._text!r})" if self.is_reference else "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        if not self.is_reference:
            raise TypeError(
                "a profile with a literal key or header value cannot be pickled; put it into an environment "
                'variable and write "${NAME}" in its place, or use apiKeyEnv = "NAME"'
            )
        return (Secret, (self._text,))
