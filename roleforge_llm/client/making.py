"""From a failure policy's spec to the policy of one profile: everything that may be wrong with it is told here."""

from __future__ import annotations

from collections.abc import Sequence

from roleforge_llm.config.wording import Suggestions, joined
from roleforge_llm.errors import ConfigError, Fault, RoleforgeError
from roleforge_llm.host.isolation import blamed
from roleforge_llm.policies import FailurePolicy, Limits, PolicySpec
from roleforge_llm.profiles import Profile

__all__ = ["made_policy"]


def made_policy(spec: PolicySpec, profile: Profile) -> tuple[FailurePolicy, Limits]:
    """The policy of *profile*, and what it promises. Raises :class:`ConfigError` with the paths of the faults."""
    path = joined("profiles", profile.name)
    if faults := _unknown_options(spec, profile):
        raise ConfigError(_below(f"{path}.policyOptions", faults))
    try:
        with blamed(f"the policy {spec.name} cannot be used"):
            return _policy(spec.factory(profile)), _checked(spec.limits(profile))
    except ConfigError as error:
        raise ConfigError(_below(f"{path}.policyOptions", error.faults)) from error
    except RoleforgeError as error:
        raise ConfigError([Fault(f"{path}.failurePolicy", str(error))]) from error


def _unknown_options(spec: PolicySpec, profile: Profile) -> Sequence[Fault]:
    suggestions = Suggestions()
    return [
        Fault(joined("", name), f"the policy {spec.name} has no such option; {_meant(suggestions, name, spec.options)}")
        for name in profile.policy_options
        if name not in spec.options
    ]


def _meant(suggestions: Suggestions, name: str, options: Sequence[str]) -> str:
    near = suggestions.nearest(name, options)
    return f"did you mean {near}?" if near else f"options: {', '.join(options) or 'none'}"


def _below(path: str, faults: Sequence[Fault]) -> Sequence[Fault]:
    return [Fault(f"{path}.{fault.path}" if fault.path else path, fault.message) for fault in faults]


def _policy(made: FailurePolicy) -> FailurePolicy:
    if not callable(getattr(made, "decide", None)):
        raise TypeError(f"its factory gave an object of type {type(made).__name__}, which has no decide")
    return made


def _checked(limits: Limits) -> Limits:
    """*limits*, if a call can be held to them: the host relies on nothing else of a policy."""
    requests, seconds = limits
    if isinstance(requests, bool) or not isinstance(requests, int) or requests < 1:
        raise ValueError(f"its limit of requests must be a whole number from 1, not {requests!r:.60}")
    if not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise ValueError(f"its limit of seconds must be a number from 0, not {seconds!r:.60}")
    return requests, seconds
