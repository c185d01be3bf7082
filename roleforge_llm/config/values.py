"""Single values: what each type of the configuration accepts, and how a fault is noted on its way up."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar, get_args

import attrs

from roleforge_llm.config.environment import literal_part, secret_fault
from roleforge_llm.config.wording import Suggestions, joined, kind_of, one_of, shown
from roleforge_llm.errors import Fault
from roleforge_llm.profiles import Secret

__all__ = ["UnfitError", "Wrong", "unfit"]

T = TypeVar("T")
V = TypeVar("V")

_MAX_DEPTH = 100
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@attrs.frozen
class Wrong:
    """A fault in the making: *word* stands where one of the words *meant* was expected (and how to show each)."""

    path: str
    message: str
    word: str = ""
    meant: Mapping[str, str] = attrs.field(factory=dict)

    def below(self, path: str) -> Wrong:
        """The same fault, seen from a table in which its own stands at *path*."""
        separator = "." if self.path and not self.path.startswith("[") else ""
        return attrs.evolve(self, path=f"{path}{separator}{self.path}")

    def fault(self, suggestions: Suggestions) -> Fault:
        """The finished fault, with what was probably meant."""
        near = suggestions.nearest(self.word, self.meant) if self.meant else None
        return Fault(self.path, f"{self.message}; did you mean {shown(self.meant[near])}?" if near else self.message)


class UnfitError(Exception):
    """A value that does not fit its type."""

    def __init__(self, wrongs: Iterable[Wrong]) -> None:
        self.wrongs = tuple(wrongs)
        super().__init__(self.wrongs)

    def faults(self, suggestions: Suggestions) -> list[Fault]:
        """Everything that is wrong, with suggestions."""
        return [wrong.fault(suggestions) for wrong in self.wrongs]


def unfit(message: str) -> UnfitError:
    """The error that a value itself raises."""
    return UnfitError([Wrong("", message)])


def text(value: object, _: object) -> str:
    """Text, and nothing that only looks like it."""
    if not isinstance(value, str):
        raise unfit(f"must be text, not {shown(value)}")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise unfit("must be text that UTF-8 can express, without lone surrogates")
    return str(value)


def switch(value: object, _: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise unfit(f"must be true or false, not {shown(value)}")
    return value


def integer(value: object, _: object) -> int:
    """An integer; 3.0 is none, and neither is true."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise unfit(f"must be an integer, not {shown(value)}")
    return value


def number(value: object, _: object) -> float:
    """A finite number; true is none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise unfit(f"must be a number, not {shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise unfit(f"must be a finite number, not {value}")
    return value


def secret(value: object, _: object) -> Secret:
    """A key or a header's value; a reference stays one. No fault shows it."""
    if not isinstance(value, str):
        raise unfit(f"must be text, not {kind_of(value)}")
    if reason := secret_fault(literal_part(value)):
        raise unfit(reason)
    return Secret(str(value))


def choice(value: object, kind: object) -> object:
    """One of the words of a ``Literal``."""
    words = get_args(kind)
    if isinstance(value, str) and value in words:
        return str(value)
    message = f"must be {one_of(words)}, not {shown(value)}"
    raise UnfitError(
        [Wrong("", message, value, dict(zip(words, words, strict=True))) if type(value) is str else Wrong("", message)]
    )


def plain(value: object, _: object, depth: int = 0) -> object:
    """A value that goes into a request as it stands, so anything that JSON can express."""
    if depth > _MAX_DEPTH:
        raise unfit("is nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return each(value.items(), lambda item: plain(item, None, depth + 1), key)
    if isinstance(value, list | tuple):
        return every(value, lambda item: plain(item, None, depth + 1))
    if isinstance(value, str):
        return text(value, None)
    return number(value, None)


def each(items: Iterable[tuple[object, V]], read: Callable[[V], T], key_of: Callable[[object], str]) -> dict[str, T]:
    """A mapping whose values are read with *read*; its keys are checked by *key_of* and stay as they are."""
    found: dict[str, T] = {}
    wrongs: list[Wrong] = []
    for name, value in items:
        try:
            found[key_of(name)] = read(value)
        except UnfitError as error:
            wrongs += [wrong.below(joined("", str(name))) for wrong in error.wrongs]
    if wrongs:
        raise UnfitError(wrongs)
    return found


def every(items: Iterable[object], read: Callable[[object], T]) -> list[T]:
    """A list whose items are read with *read*."""
    found: list[T] = []
    wrongs: list[Wrong] = []
    for index, value in enumerate(items):
        try:
            found.append(read(value))
        except UnfitError as error:
            wrongs += [wrong.below(f"[{index}]") for wrong in error.wrongs]
    if wrongs:
        raise UnfitError(wrongs)
    return found


def key(name: object) -> str:
    """A key that stays as it is."""
    if not isinstance(name, str):
        raise unfit(f"a key must be text, not {shown(name)}")
    return text(name, None)


def header(name: object) -> str:
    """The name of an HTTP header."""
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise unfit("is no name of an HTTP header")
    return name


def profile_name(name: object) -> str:
    """The name of a profile: it appears in logs and on the command line."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise unfit("a profile's name must be text of at least one visible character, without control characters")
    return name
