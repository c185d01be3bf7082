"""Every exception of this library, one tree.

Each class below its parent::

    RoleforgeError
      + ConfigError            configuration that cannot be used; every fault with its path
      + MessageError           a message that cannot be sent; names its index
      |   - ForgedTurn         what a message says would open, close or imitate a turn
      + FormatError            a prompt format that cannot be used
      |   - FormatNotFound     a path that is not there, or an unknown name under strictTemplates
      |   - TemplateError      a template with a syntax error, or one that fails while rendering
      + PluginError            asked for something whose plugin is broken, missing or in conflict
      + BatchError             a batch that cannot be run as asked
      |   - RowError           a row of a batch that cannot be sent; it costs only this row
      + BackendError           one attempt failed; below it, one class per cause
      |   - ConnectFailed      no connection: refused, reset, name resolution, TLS, not HTTP
      |   - Timeout            a limit of the profile's timeouts passed
      |   - RateLimited        429
      |   - ServerError        5xx, 408, 409, 425, or an error object in a reply of status 200
      |   - AuthenticationFailed  401, 403
      |   - InvalidRequest     any other 4xx
      |   |   . ContextTooLong   the prompt does not fit the model's window
      |   |   . NotFound         404
      |   - BadReply           a reply that cannot be read, of the wrong shape, or a redirect
      |   - StreamBroken       a stream that ended before its reply was complete
      |   - TooLarge           a reply beyond the size limits
      + AllProfilesFailed      the call failed on every profile it was allowed to try

Secrets never reach these classes: what a server sent back is masked before it becomes a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import attrs

if TYPE_CHECKING:
    from roleforge_llm.attempts import Attempt

__all__ = [
    "AllProfilesFailed",
    "AuthenticationFailed",
    "BackendError",
    "BadReply",
    "BatchError",
    "ConfigError",
    "ConnectFailed",
    "ContextTooLong",
    "Fault",
    "ForgedTurn",
    "FormatError",
    "FormatNotFound",
    "InvalidRequest",
    "MessageError",
    "NotFound",
    "PluginError",
    "RateLimited",
    "RoleforgeError",
    "RoleforgeWarning",
    "RowError",
    "ServerError",
    "StreamBroken",
    "TemplateError",
    "Timeout",
    "TooLarge",
]


class RoleforgeError(Exception):
    """Root of every exception that this library raises on purpose."""


class RoleforgeWarning(UserWarning):
    """Something is used that differs from what was asked for."""


@attrs.frozen
class Fault:
    """One thing that is wrong in a configuration.

    *path* is dotted (``profiles.kobold.sampler.topP``), *message* says what is wrong and what would be
    right; neither holds a secret.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(RoleforgeError):
    """Configuration that cannot be used. ``faults`` lists everything that is wrong, each with its path.

    ``source`` is the file, empty for settings that came from code.
    """

    def __init__(self, faults: Sequence[Fault], source: str = "") -> None:
        super().__init__(tuple(faults), source)
        self.faults: tuple[Fault, ...] = tuple(faults)
        self.source = source

    def __str__(self) -> str:
        where = f"{self.source}: " if self.source else ""
        if len(self.faults) == 1:
            return f"{where}{self.faults[0]}"
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        return f"{where}{len(self.faults)} faults in the configuration\n{lines}"


class MessageError(RoleforgeError):
    """A conversation that cannot be sent. ``index`` is the position of the faulty message, None for the whole."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message, index)
        self.message = message
        self.index = index

    def __str__(self) -> str:
        return self.message if self.index is None else f"messages[{self.index}]: {self.message}"


class ForgedTurn(MessageError):
    """What a message says would open, close or imitate a turn, and is refused or cannot be escaped."""


class FormatError(RoleforgeError):
    """A prompt format that cannot be used."""


class FormatNotFound(FormatError):
    """A template file that is not there, or an unknown format name where strictTemplates is on."""


class TemplateError(FormatError):
    """A template with a syntax error, or one that fails while rendering. The text names file and line."""


class PluginError(RoleforgeError):
    """Something was asked for whose plugin is broken, missing, disabled or in conflict."""


class BatchError(RoleforgeError):
    """A batch that cannot be run as asked: an output that is there already, or that belongs to another input."""


class RowError(BatchError):
    """A row of a batch that cannot be sent. It never ends the batch: it is that row's result.

    ``kind`` is a short stable word for what is wrong: json, utf-8, too-long, not-an-object, shape, unknown-key, id,
    duplicate-id, messages, model, profile. ``message`` says it in one line. ``id`` is the row's own, None where it has
    none or none can be read.
    """

    def __init__(self, message: str, kind: str, id: str | int | None = None) -> None:  # noqa: A002  # the field's name
        super().__init__(message, kind, id)
        self.message = message
        self.kind = kind
        self.id = id

    def __str__(self) -> str:
        return self.message


class BackendError(RoleforgeError):
    """One attempt on one profile failed.

    ``kind`` is a short stable word for the cause ("refused", "tls", "status", "first-token" ...), without one the
    ``default_kind`` of the class: class and kind decide whether a retry can help. ``status`` is
    the HTTP status if one was received, ``retry_after`` the seconds that the server asked to wait,
    ``should_retry`` the server's own word on retrying if it gave one. ``profile``, ``attempt`` (its number
    on that profile, from 1), ``partial`` (the text received before the failure) and ``attempts`` (of the whole
    call, in order) are filled in by the client. ``message`` is the text without them, ``request_id`` the server's own
    name for the request, where it gave one.
    """

    default_kind: ClassVar[str] = "unexpected"

    def __init__(
        self,
        message: str,
        *,
        kind: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
        profile: str = "",
        attempt: int = 0,
        partial: str = "",
        attempts: Sequence[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = self.default_kind if kind is None else kind
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.should_retry = should_retry
        self.profile = profile
        self.attempt = attempt
        self.partial = partial
        self.attempts: tuple[Attempt, ...] = tuple(attempts)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message,), self.__dict__)


class ConnectFailed(BackendError):
    """No connection. Kinds: connect (without a closer word), refused, reset, dns, tls, protocol (not HTTP)."""

    default_kind = "connect"


class Timeout(BackendError):
    """A time limit passed. Kinds: connect, first-token, idle, attempt, total."""


class RateLimited(BackendError):
    """Status 429. Kinds: status (without another word), quota (waiting cannot help)."""

    default_kind = "status"


class ServerError(BackendError):
    """Status 5xx, 408, 409 or 425, or an error object in a reply of status 200.

    Kinds: status (without another word), loading, error-body.
    """

    default_kind = "status"


class AuthenticationFailed(BackendError):
    """Status 401 or 403."""


class InvalidRequest(BackendError):
    """Any other status 4xx: the server will not take this request."""


class ContextTooLong(InvalidRequest):
    """The prompt does not fit the model's window."""


class NotFound(InvalidRequest):
    """Status 404: the model or the path does not exist on this server."""


class BadReply(BackendError):
    """A reply that cannot be used.

    Kinds: unreadable (truncated, not JSON; without another word), shape (JSON, but no reply), html, redirect.
    """

    default_kind = "unreadable"


class StreamBroken(BackendError):
    """A stream ended before its reply was complete. Kinds: reset, closed, error-event, unreadable."""


class TooLarge(BackendError):
    """A reply beyond the size limits. Kinds: body, line, text."""


class AllProfilesFailed(RoleforgeError):
    """The call failed on every profile that it was allowed to try.

    ``attempts`` is the whole sequence in order (empty when all profiles are resting), ``errors`` the error of
    each failed attempt, ``partial`` the text received before the last failure, ``reason`` what ended the call
    where that was not the last error. ``__cause__`` is the last error.
    """

    def __init__(
        self, attempts: Sequence[Attempt], errors: Sequence[BackendError], partial: str = "", reason: str = ""
    ) -> None:
        super().__init__(tuple(attempts), tuple(errors), partial, reason)
        self.attempts: tuple[Attempt, ...] = tuple(attempts)
        self.errors: tuple[BackendError, ...] = tuple(errors)
        self.partial = partial
        self.reason = reason

    def __str__(self) -> str:
        count = len(self.attempts)
        head = self.reason or f"no profile gave a reply: {count} attempt{'' if count == 1 else 's'} failed"
        return "\n".join([head, *(f"  {attempt}" for attempt in self.attempts)])
