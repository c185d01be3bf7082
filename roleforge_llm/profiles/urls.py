"""A server's base URL: what is wrong with one, and how it may be shown."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

__all__ = ["shown_url", "url_fault", "url_warning"]

_ADDED = ("/chat/completions", "/completions")
"""The paths that a request adds to a base URL."""


def url_fault(url: str) -> str | None:
    """What is wrong with *url* as a server's base URL, or None. Shows nothing of it that could be secret."""
    if any(ord(character) <= 32 or ord(character) == 127 for character in url):
        return "must not contain white space or control characters"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is no URL ({error})"
    return _authority_fault(parts, port)


def url_warning(url: str) -> str | None:
    """What is odd about *url*, which has no fault, as a server's base URL; None if nothing is."""
    address = url.partition("?")[0].rstrip("/")
    if (added := next((path for path in _ADDED if address.endswith(path)), None)) is None:
        return None
    return f"ends in {added}, which each request adds to it; write {address.removesuffix(added)}"


def _authority_fault(parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in {"http", "https"}:
        return 'must begin with "http://" or "https://"'
    if parts.username is not None or parts.password is not None:
        return "must not contain a user name or password; use apiKey or headers"
    if not parts.hostname:
        return "names no host"
    if port == 0:
        return "must not use port 0"
    return None


def shown_url(url: str | None) -> str | None:
    """*url* as it may be shown: the values in its query, which may be keys, are masked."""
    if url is None or "?" not in url:
        return url
    address, _, query = url.partition("?")
    return f"{address}?" + "&".join(field.partition("=")[0] + "=***" for field in query.split("&"))
