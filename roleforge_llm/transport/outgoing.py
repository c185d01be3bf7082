"""What every request carries: the headers of its profile, and a body of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from roleforge_llm._version import __version__
from roleforge_llm.errors import InvalidRequest
from roleforge_llm.profiles import Profile

__all__ = ["encoded", "headers_of"]


def headers_of(profile: Profile) -> dict[str, str]:
    """The headers of a request with JSON: the profile's own stand over the key, and both over the rest.

    Raises :class:`InvalidRequest` for a value that cannot stand in a header.
    """
    headers = {
        "accept-encoding": "identity",
        "user-agent": f"roleforge-llm/{__version__}",
        "content-type": "application/json",
    }
    if key := profile.key():
        headers["authorization"] = f"Bearer {key}"
    headers |= {name.lower(): secret.reveal() for name, secret in profile.headers.items()}
    for name, value in headers.items():
        if not (name.isascii() and name.isprintable() and value.isascii() and value.isprintable()):
            what = "apiKey" if name == "authorization" else f"the header {name!r:.60}"
            raise InvalidRequest(
                f"{what} of the profile cannot stand in a header; is a line break in it?", kind="unsendable"
            )
    return headers


def encoded(body: Mapping[str, object]) -> bytes:
    """*body* as JSON. Raises :class:`InvalidRequest` for what JSON cannot hold (from ``extra`` or ``tools``)."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"the request is not JSON: {error}; check sampler.extra and tools", kind="unsendable"
        ) from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
