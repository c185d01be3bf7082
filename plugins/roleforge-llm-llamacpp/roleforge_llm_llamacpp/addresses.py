"""Where a server's endpoints are, however its profile writes the base URL."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from roleforge_llm import Profile

__all__ = ["openai_base", "url_of"]


def url_of(profile: Profile, path: str) -> str:
    """The address of llama.cpp's own endpoint *path* (``/completion``).

    The base URL may end in ``/v1`` or not, and have a prefix before it; a query stays at the end.
    """
    base, root = _parts(profile)
    return urlunsplit(base._replace(path=root + path))


def openai_base(profile: Profile) -> str:
    """The base URL of the OpenAI-compatible endpoints of the same server."""
    base, root = _parts(profile)
    return urlunsplit(base._replace(path=f"{root}/v1"))


def _parts(profile: Profile) -> tuple[SplitResult, str]:
    base = urlsplit(profile.base_url or "")
    return base._replace(fragment=""), base.path.rstrip("/").removesuffix("/v1").rstrip("/")
