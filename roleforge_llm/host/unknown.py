"""Names that nothing has: what to say of them."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["nobody_offers", "tell_unknown"]


def nobody_offers(kind: str, name: str, known: Collection[str]) -> str:
    """The message for a *name* of that *kind* that no plugin offers."""
    import difflib

    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"no plugin offers the {kind} {name!r}; {hint}"


def tell_unknown(setting: str, what: str, names: Collection[str], known: Collection[str]) -> None:
    """Log a warning for each of *names*, which stand in that *setting* and are no name of *what*."""
    if not names:
        return
    import difflib
    import logging

    for name in names:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "it changes nothing"
        logging.getLogger("roleforge_llm").warning("%s names %r, which is no %s; %s", setting, name, what, hint)
