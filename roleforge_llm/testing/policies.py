"""The conformance suite of failure policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import Parameter, signature

import attrs

from roleforge_llm.client import Client
from roleforge_llm.config import Config
from roleforge_llm.errors import RoleforgeError, ServerError
from roleforge_llm.policies import FailurePolicy, Limits, PolicySpec
from roleforge_llm.profiles import Profile
from roleforge_llm.testing.conformance import Broken, Rule, verdict
from roleforge_llm.testing.hosts import offering, plugin_host
from roleforge_llm.testing.policy_rules import (
    DECIDED,
    Subject,
    broken_in_decisions,
    broken_in_limits,
    broken_in_routes,
)
from roleforge_llm.testing.scripted import ScriptedBackend
from roleforge_llm.testing.situations import PROFILES
from roleforge_llm.testing.waiting import no_waiting

__all__ = ["RULES", "assert_policy_conforms"]

_CLIENT = Rule(
    "client",
    "a client can plan and make a call with the policy, and the call ends",
    "offer a PolicySpec whose factory takes a profile, and whose limits gives (requests from 1, seconds from 0)",
)
RULES = (*DECIDED, _CLIENT.name)
"""The names of all rules for failure policies."""


def assert_policy_conforms(
    policy: PolicySpec | FailurePolicy | Callable[[Profile], FailurePolicy],
    *,
    limits: Limits | Callable[[Profile], Limits] | None = None,
    profiles: Sequence[Profile] = (),
    waive: Mapping[str, str] | None = None,
    examples: int = 100,
) -> None:
    """Raise :class:`DoesNotConform`, an AssertionError with everything that is wrong, unless *policy* keeps its rules.

    *policy* is a :class:`~roleforge_llm.PolicySpec`; or a policy, or what makes one for a profile, with the *limits*
    that it is to keep (without any it must still come to an end). It is asked about *examples* failures on each of
    *profiles*, by default profiles with several retry settings; always the same ones. *waive* names rules that cannot
    hold for this policy, each with the reason; a waiver that is not needed is an error, too.
    """
    spec = policy if isinstance(policy, PolicySpec) else _spec(policy, limits)
    first: dict[str, Broken] = {}
    for profile in profiles or PROFILES:
        for broken in _broken(spec, profile, examples):
            first.setdefault(broken.rule, broken)
    verdict(f"the failure policy {spec.name!r}", RULES, first.values(), waive or {})


_NO_LIMITS: Limits = (200, 1e9)


def _spec(
    policy: FailurePolicy | Callable[[Profile], FailurePolicy], limits: Limits | Callable[[Profile], Limits] | None
) -> PolicySpec:
    name = getattr(policy, "__name__", type(policy).__name__)
    return PolicySpec(name, _factory(policy), limits if callable(limits) else lambda _: limits or _NO_LIMITS)


_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def _factory(policy: FailurePolicy | Callable[[Profile], FailurePolicy]) -> Callable[[Profile], FailurePolicy]:
    if not callable(policy):
        return lambda _: policy
    try:
        takes_profile = any(each.kind in _POSITIONAL for each in signature(policy).parameters.values())
    except ValueError:  # what C code makes has no signature
        takes_profile = True
    return policy if takes_profile else lambda _: policy()  # type: ignore[call-arg]  # it takes none


def _broken(spec: PolicySpec, profile: Profile, examples: int) -> Iterator[Broken]:
    if (came := _fault_in_a_client(spec, profile)) is not None:
        yield _CLIENT.broken(f"a call with the profile {profile.name!r}", came)
        return  # the others rely on it
    subject = Subject(profile, lambda: spec.factory(profile), spec.limits(profile))
    yield from broken_in_decisions(subject, examples)
    yield from broken_in_limits(subject, examples)
    yield from broken_in_routes(subject, examples)


def _fault_in_a_client(spec: PolicySpec, profile: Profile) -> str | None:
    """What goes wrong when a client calls a server that is always busy; its error at the end is as it should be."""
    server = ScriptedBackend(ServerError("busy", kind="status", status=503))
    used = attrs.evolve(profile, backend="scripted", failure_policy=spec.name)
    others = [Profile(name, backend="scripted") for name in used.fallback_profiles]
    config = Config({each.name: each for each in (used, *others)}, default_profile=used.name)
    try:
        host = plugin_host(offering(spec), offering(server.spec()), builtin=True, overridden=(spec.name,))
        with no_waiting(), Client(config, host) as client:
            client.plan()
            client.complete([{"role": "user", "content": "Hi"}])
    except (AssertionError, RoleforgeError) as error:
        return None if server.requests else f"{type(error).__name__}: {error}"
    return None
