"""Environment references in a configuration: expanded in place, or checked where the value must stay a reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from roleforge_llm.config.wording import joined
from roleforge_llm.errors import Fault
from roleforge_llm.profiles import UnsetVariable, expand, reference_fault, variable

__all__ = ["Expanded", "Expansion", "literal_part", "secret_fault"]

_SECRET_KEYS = frozenset({"api_key", "apiKey", "headers"})
_VARIABLE_KEYS = frozenset({"api_key_env", "apiKeyEnv"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_DEPTH = 100

_GONE = object()


class Expanded(str):
    """A text with values of the environment in it. Errors show *written*, what stands in the file."""

    __slots__ = ("written",)
    written: str

    @classmethod
    def of(cls, text: str, written: str) -> Expanded:
        """*text*, for which the file has *written*."""
        found = cls(text)
        found.written = written
        return found


def literal_part(secret: str) -> str:
    """The key that stands in the file itself, "" where the environment must give it."""
    try:
        return expand(secret, {})
    except UnsetVariable:
        return ""


def secret_fault(value: str) -> str | None:
    """What is wrong with *value* as a key or a header's value. Shows nothing of it."""
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        return "must be plain ASCII text without line breaks and control characters (the value is not shown)"
    if value != value.strip():
        return "must not begin or end with white space (the value is not shown)"
    return None


@attrs.define
class Expansion:
    """Expands every text of one profile, except its secrets.

    A value whose variable is not set is left out and recorded in *faults*, which concern this profile alone.
    *wrong* is what no environment could mend.
    """

    environ: Mapping[str, str]
    faults: list[Fault] = attrs.field(factory=list)
    wrong: list[Fault] = attrs.field(factory=list)

    def table(self, table: Mapping[Any, object], path: str, *, secrets: bool = False) -> dict[object, object]:
        """*table* with every text expanded; with *secrets*, its keys and headers are checked and left as they are."""
        found: dict[object, object] = {}
        for key, value in table.items():
            below = joined(path, str(key))
            if secrets and key in _SECRET_KEYS:
                self._check_secret(value, below)
                found[key] = value
            elif (expanded := self._value(value, below)) is not _GONE:
                found[key] = expanded
                if secrets and key in _VARIABLE_KEYS and isinstance(expanded, str):
                    self._check_variable(expanded, below)
        return found

    def _value(self, value: object, path: str, depth: int = 0) -> object:
        if isinstance(value, str):
            return self._text(value, path) if "$" in value else value
        if depth > _MAX_DEPTH or not isinstance(value, Mapping | list | tuple):
            return value
        if isinstance(value, Mapping):
            items = {key: self._value(item, joined(path, str(key)), depth + 1) for key, item in value.items()}
            return {key: item for key, item in items.items() if item is not _GONE}
        listed = [self._value(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        return [item for item in listed if item is not _GONE]

    def _text(self, text: str, path: str) -> object:
        if reason := reference_fault(text):
            self.wrong.append(Fault(path, reason))
            return _GONE
        try:
            return Expanded.of(expand(text, self.environ), text)
        except UnsetVariable as error:
            self.faults.append(Fault(path, str(error)))
            return _GONE

    def _check_secret(self, value: object, path: str) -> None:
        if isinstance(value, Mapping):
            for name, item in value.items():
                self._check_secret(item, joined(path, str(name)))
        elif isinstance(value, str) and "$" in value:
            self._check_resolved(self._text(value, path), path)

    def _check_variable(self, name: str, path: str) -> None:
        if not _VARIABLE.fullmatch(name):  # which is told where types are checked
            return
        try:
            self._check_resolved(variable(name, self.environ), path)
        except UnsetVariable as error:
            self.faults.append(Fault(path, str(error)))

    def _check_resolved(self, secret: object, path: str) -> None:
        if isinstance(secret, str) and (reason := secret_fault(secret)):
            self.faults.append(Fault(path, reason))
