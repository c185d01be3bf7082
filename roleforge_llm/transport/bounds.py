"""How much a server may send: every size limit of the transport, in bytes, characters or seconds."""

__all__ = [
    "ERROR_BODY_SECONDS",
    "MAX_BODY",
    "MAX_ERROR_BODY",
    "MAX_LINE",
    "MAX_SHOWN",
    "MAX_SHOWN_TEXT",
    "PIECE",
]

MAX_BODY = 32 * 1024 * 1024
"""Decoded bytes of one reply, streamed or not."""

MAX_VALUES = 1_000_000
"""Values in one JSON document: a short body of empty lists would take two hundred times its size in memory."""

MAX_LINE = 1024 * 1024
"""Bytes of one line of an event stream, and of one event."""

MAX_ERROR_BODY = 64 * 1024
"""Decoded bytes that are read of an error's body; the rest is left on the wire."""

ERROR_BODY_SECONDS = 1.0
"""How long the body of an error is waited for: its status is known already."""

MAX_SHOWN = 500
"""Characters of an error's message."""

MAX_SHOWN_TEXT = 300
"""Characters of a server's own words within a message."""

PIECE = 64 * 1024
"""Decoded bytes that are produced at a time, so that a small compressed body cannot fill the memory."""
