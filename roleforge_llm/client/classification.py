"""From whatever an attempt raised to a failure of ours, with no secret in it."""

from __future__ import annotations

from roleforge_llm.attempts import Attempt, Failure
from roleforge_llm.client.targets import Target
from roleforge_llm.errors import BackendError
from roleforge_llm.host import PluginHost
from roleforge_llm.profiles import Profile, UnsetVariable

__all__ = ["classified", "masked"]


def classified(host: PluginHost, target: Target, error: Exception, attempt: Attempt) -> Failure:
    """What kind of failure *error*, which ended *attempt* on *target*, is; as the plugins of *host* see it."""
    failure = host.classify_error(error, attempt)
    if failure is None:
        failure = Failure(error=_unexpected(target, error), retryable=False)
    found = failure.error
    found.message = masked(found.message, target.profile)
    found.args = (found.message,)
    found.profile, found.attempt = attempt.profile, attempt.number
    return failure


def masked(text: str, profile: Profile) -> str:
    """*text* without the secrets of *profile*."""
    try:
        secrets = profile.secrets()
    except UnsetVariable:  # taken away since the configuration was read: nothing can have been sent with it
        return text
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _unexpected(target: Target, error: Exception) -> BackendError:
    message = f"the backend {target.profile.backend} raised {type(error).__name__}: {error}"
    found = BackendError(message, kind="unexpected")
    found.__cause__ = error
    return found
