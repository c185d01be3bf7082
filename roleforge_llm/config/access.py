"""Who else can read or change a configuration file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from roleforge_llm.profiles import Profile, Secret, UnsetVariable

__all__ = ["file_warnings"]

_KEY_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "api-key", "x-api-key"})


def file_warnings(
    path: Path, status: os.stat_result, profiles: Iterable[Profile], user: int | None = None
) -> tuple[str, ...]:
    """Warnings about the file *path*, whose (or whose link's target's) *status* this is, for the user id *user*."""
    if os.name == "nt":
        return ()
    user = os.getuid() if user is None else user
    found = []
    if status.st_uid != user:
        found.append(f"{path}: the file belongs to {_name(status.st_uid)}, who can change what is sent where")
    if status.st_mode & 0o044 and (holder := _holder_of_literal_key(profiles)):
        found.append(
            f"{path}: other users can read the file (mode {status.st_mode & 0o7777:04o}) and the key of profile "
            f'"{holder}" in it; run chmod 600 on it, or use apiKeyEnv'
        )
    return tuple(found)


def _holder_of_literal_key(profiles: Iterable[Profile]) -> str | None:
    for profile in profiles:
        keys = [secret for name, secret in profile.headers.items() if name.lower() in _KEY_HEADERS]
        if any(map(_is_literal, [*keys, *filter(None, [profile.api_key])])):
            return profile.name
    return None


def _is_literal(secret: Secret) -> bool:
    try:
        return bool(secret.reveal({}))
    except UnsetVariable:
        return False


def _name(user: int) -> str:
    import pwd

    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"the user with id {user}"
