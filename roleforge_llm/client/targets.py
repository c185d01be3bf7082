"""Profiles with every name resolved: what a request to one of them needs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence

import attrs

from roleforge_llm.backends import BackendSpec, Capabilities
from roleforge_llm.client.making import made_policy
from roleforge_llm.config import Config
from roleforge_llm.errors import ConfigError, Fault, FormatError, PluginError
from roleforge_llm.formats import DEFAULT_FORMAT, SERVER, PromptFormat, ServedFormat, find_format
from roleforge_llm.host import PluginHost
from roleforge_llm.host.isolation import blamed
from roleforge_llm.policies import FailurePolicy, Limits, PolicySpec
from roleforge_llm.profiles import Profile

__all__ = ["Target", "Targets"]

log = logging.getLogger("roleforge_llm")


@attrs.frozen
class Target:
    """A profile and what its names stand for.

    *named_format* is None where the server renders and no template is given. *awaits_loading* is the policy's
    (:class:`~roleforge_llm.PolicySpec`).
    """

    profile: Profile
    backend: BackendSpec
    capabilities: Capabilities
    policy: FailurePolicy
    limits: Limits
    named_format: PromptFormat | None
    warnings: tuple[str, ...] = ()
    awaits_loading: bool = True

    @property
    def format(self) -> PromptFormat | None:
        """What makes the prompts: the named format, or what the server said of its own."""
        named = self.named_format
        return named.learned or named if isinstance(named, ServedFormat) else named

    @property
    def unknown_format(self) -> ServedFormat | None:
        """The server's own format, where the server has not been asked for it yet."""
        return self.format if isinstance(self.format, ServedFormat) else None

    @property
    def continues_prefill(self) -> bool:
        """Whether a request can make the model go on from text that it is given."""
        return self.profile.effective_endpoint == "completions" or self.capabilities.continues_prefill


class Targets:
    """Resolves profiles, each once per client."""

    def __init__(self, config: Config, host: PluginHost) -> None:
        self._config = config
        self._host = host
        self._resolved: dict[str, Target] = {}
        self._lock = threading.Lock()
        self._warned: set[str] = set()

    def chain(self, name: str | None) -> tuple[Target, ...]:
        """The requested profile and its fallbacks, in order.

        Raises :class:`ConfigError` with every fault of any of them, so that a fallback is not found
        unusable at the moment when it is needed.
        """
        profiles = self._config.chain(name)
        self._warn_of_others({profile.name for profile in profiles})
        faults = [fault for profile in profiles for fault in self.faults(profile)]
        if faults:
            raise ConfigError(faults, str(self._config.source or ""))
        return tuple(self._resolved[profile.name] for profile in profiles)

    def _warn_of_others(self, reachable: Collection[str]) -> None:
        """Tell once what is wrong with profiles that this call cannot reach: it may go on without them."""
        for name in self._config.faults.keys() - reachable - self._warned:
            self._warned.add(name)
            for fault in self._config.faults[name]:
                log.warning("%s (profile %s is not used here)", fault, name)

    def faults(self, profile: Profile) -> Sequence[Fault]:
        """Everything that keeps *profile* from being used; empty where nothing does."""
        faults = list(self._config.faults.get(profile.name, ()))
        if not faults and profile.name not in self._resolved:
            with self._lock:
                target = self._resolve(profile, faults)
                if target is not None:
                    self._resolved[profile.name] = target
        return faults

    def _resolve(self, profile: Profile, faults: list[Fault]) -> Target | None:
        backend, capabilities = self._backend(profile, faults)
        policy = self._policy(profile, faults)
        found, warnings = self._format(profile, faults)
        if faults or backend is None or capabilities is None or policy is None:
            return None
        try:
            made, limits = made_policy(policy, profile)
        except ConfigError as error:
            faults.extend(error.faults)
            return None
        return Target(
            profile=profile,
            backend=backend,
            capabilities=capabilities,
            policy=made,
            limits=limits,
            named_format=found,
            warnings=warnings,
            awaits_loading=policy.awaits_loading,
        )

    def _backend(self, profile: Profile, faults: list[Fault]) -> tuple[BackendSpec | None, Capabilities | None]:
        path = f"profiles.{profile.name}"
        try:
            backend = self._host.backend(profile.backend)
            capabilities = _capabilities(backend, profile)
        except PluginError as error:
            faults.append(Fault(f"{path}.backend", str(error)))
            return None, None
        if capabilities.requires_base_url and profile.base_url is None:
            faults.append(Fault(f"{path}.baseURL", f"the backend {profile.backend} needs the URL of a server"))
        if profile.effective_endpoint not in capabilities.endpoints:
            known = ", ".join(sorted(capabilities.endpoints))
            message = f"the backend {profile.backend} has no endpoint {profile.effective_endpoint!r}, only {known}"
            faults.append(Fault(f"{path}.endpoint", message))
        faults.extend(_objections(backend, profile))
        return backend, capabilities

    def _policy(self, profile: Profile, faults: list[Fault]) -> PolicySpec | None:
        try:
            return self._host.policy(profile.failure_policy)
        except PluginError as error:
            faults.append(Fault(f"profiles.{profile.name}.failurePolicy", str(error)))
            return None

    def _format(self, profile: Profile, faults: list[Fault]) -> tuple[PromptFormat | None, tuple[str, ...]]:
        if profile.template is None and profile.effective_endpoint == "chat":
            return None, ()
        name = profile.template or DEFAULT_FORMAT
        if name == SERVER:
            return ServedFormat(f"the server of profile {profile.name!r}"), ()
        config = self._config
        base = config.source.parent if config.source is not None else None
        try:
            found = find_format(name, self._host, config.template_folders, strict=config.strict_templates, base=base)
        except (FormatError, PluginError) as error:
            faults.append(Fault(f"profiles.{profile.name}.template", str(error)))
            return None, ()
        return found.format, (*found.warnings, *_unnamed(profile))


def _capabilities(backend: BackendSpec, profile: Profile) -> Capabilities:
    """What the server behind *profile* can do. Raises :class:`PluginError` for whatever the backend does wrong."""
    with blamed(f"the backend {backend.name} cannot tell what it can do for this profile"):
        found: object = backend.capabilities_for(profile)
        if not isinstance(found, Capabilities):
            raise TypeError(f"its capabilities gave an object of type {type(found).__name__}, not Capabilities")
        return found


def _objections(backend: BackendSpec, profile: Profile) -> Sequence[Fault]:
    """What the backend itself finds wrong with the settings of *profile*."""
    path = f"profiles.{profile.name}"
    try:
        with blamed(f"the backend {backend.name} cannot check this profile"):
            found = [] if backend.check is None else list(backend.check(profile))
            return [Fault(f"{path}.{fault.path}" if fault.path else path, fault.message) for fault in found]
    except PluginError as error:
        return [Fault(f"{path}.backend", str(error))]


def _unnamed(profile: Profile) -> Sequence[str]:
    """What is to be said of a prompt format that nobody has named."""
    if profile.template is not None:
        return ()
    return (f"profile {profile.name} names no template; its prompts are made in {DEFAULT_FORMAT}",)
