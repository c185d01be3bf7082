"""How faults speak: values cut short, paths, and what was probably meant."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Mapping

__all__ = ["Suggestions", "joined", "kind_of", "one_of", "shown"]

_SHOWN = 60
_PLAIN_KEY = re.compile(r"[\w$][\w $-]*")


def kind_of(value: object) -> str:
    """What *value* is, in the words of the file and without its content."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    words = {str: "text", int: "a number", float: "a number", list: "a list", tuple: "a list"}
    found = next((word for kind, word in words.items() if isinstance(value, kind)), None)
    return found or ("a table" if isinstance(value, Mapping) else f"a {type(value).__name__}")


def shown(value: object) -> str:
    """*value* for an error message: at most 60 characters of text or a number, else only what it is."""
    if isinstance(value, str):
        text = json.dumps(str(getattr(value, "written", value))[:_SHOWN], ensure_ascii=False)
    elif isinstance(value, int) and value.bit_length() > 180:
        return "a number of more than 54 digits"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)
    else:
        return kind_of(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def joined(path: str, key: str) -> str:
    """The dotted path of *key* below *path*; a key that holds a dot or the like stands in quotes."""
    part = key if _PLAIN_KEY.fullmatch(key) and len(key) <= _SHOWN else shown(key)
    return f"{path}.{part}" if path else part


def one_of(words: Collection[str]) -> str:
    """*words* as a choice: ``"a", "b" or "c"``."""
    quoted = [f'"{word}"' for word in words]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))


class Suggestions:
    """Finds what was probably meant, for all faults of one configuration.

    A comparison of two words takes some 10 microseconds, and a broken file may hold thousands of words that
    each have thousands of neighbours: after *comparisons* the faults are reported without suggestions.
    """

    def __init__(self, comparisons: int = 12_000) -> None:
        self._left = comparisons

    def nearest(self, word: str, candidates: Collection[str]) -> str | None:
        """The candidate most like *word*, upper case and lower case alike; None if none is."""
        self._left -= len(candidates)
        if self._left < 0:
            return None
        import difflib

        folded = {candidate[:_SHOWN].casefold(): candidate for candidate in candidates}
        near = difflib.get_close_matches(word[:_SHOWN].casefold(), folded, n=1)
        return folded[near[0]] if near else None

    def no_profile(self, name: str, profiles: Collection[str]) -> str:
        """The message for a profile *name* that does not exist."""
        near = self.nearest(name, profiles)
        hint = f"did you mean {shown(near)}?" if near else f"profiles: {_first(profiles)}"
        return f"there is no profile {shown(name)}; {hint}"


def _first(names: Collection[str], most: int = 8) -> str:
    listed = ", ".join(shown(name) for name in itertools.islice(names, most))
    return (f"{listed} and {len(names) - most} more" if len(names) > most else listed) or "none"
