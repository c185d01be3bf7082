"""Keeping secrets out of everything that is shown: messages of errors and the log lines of HTTP libraries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

from roleforge_llm.transport.bounds import MAX_SHOWN_TEXT

__all__ = ["Mask", "one_line"]

_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class Mask:
    """Replaces secrets by ``***``, in each of the forms in which a server may give them back.

    The forms: as it is, escaped as in JSON or in a URL, and the part after the scheme of a header value like
    ``Bearer …``.
    """

    __slots__ = ("_forms",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if form}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """*text* without the secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, "***")
        return text


def _forms(secret: str) -> Iterable[str]:
    for text in (secret, secret.partition(" ")[2]):
        yield from (text, json.dumps(text)[1:-1], quote(text), quote(text, safe=""))


def one_line(text: str, limit: int = MAX_SHOWN_TEXT) -> str:
    """*text* on one printable line of at most *limit* characters."""
    text = _UNPRINTABLE.sub(" ", text[: limit * 8]).strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
