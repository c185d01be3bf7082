"""How long a server asks to wait."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["retry_after", "should_retry"]


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds from ``retry-after-ms`` or ``retry-after`` (seconds or an HTTP date), None if neither is usable.

    A date is measured against the server's own ``date``, else against *now* (seconds since the epoch); one
    that has passed is 0. *headers* has lower-case names or ignores case.
    """
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    if (seconds := _number(text)) is not None:
        return seconds
    if (until := _date(text)) is None:
        return None
    server_now = _date(headers.get("date"))
    if server_now is None:
        server_now = time.time() if now is None else now
    return max(0.0, until - server_now)


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """The server's own word on retrying (``x-should-retry``), None if it gave none."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str | None) -> float | None:
    try:
        found = parsedate_to_datetime(text or "")
        # HTTP's dates are in GMT, also in the older layout that does not say so.
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
