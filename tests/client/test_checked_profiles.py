"""What a backend finds wrong with a profile is a fault of the configuration, told before anything is sent."""

from __future__ import annotations

import attrs
import pytest

import roleforge_llm as rf
from roleforge_llm.testing import ScriptedBackend

HELLO = [{"role": "user", "content": "Hello"}]


class Plugin:
    def __init__(self, check):
        self.backend = ScriptedBackend("Hi")
        self._check = check

    @rf.hookimpl
    def roleforge_backends(self):
        return [attrs.evolve(self.backend.spec("scripted"), check=self._check)]


def faults(check):
    plugin = Plugin(check)
    profile = rf.Profile("p", backend="scripted", sampler=rf.Sampler(extra={"mirostats": 2}))
    with rf.Client(rf.Config({"p": profile}, "p"), rf.PluginHost(plugins=[plugin])) as client:
        with pytest.raises(rf.ConfigError) as caught:
            client.complete(HELLO)
        assert not plugin.backend.requests
    return [str(fault) for fault in caught.value.faults]


def test_each_fault_has_its_path():
    def check(profile):
        yield from (rf.Fault(f"sampler.extra.{name}", "is not known") for name in profile.sampler.extra)
        yield rf.Fault("", "is no good")

    assert faults(check) == ["profiles.p.sampler.extra.mirostats: is not known", "profiles.p: is no good"]


def test_a_check_that_fails_itself_is_told_with_its_backend():
    def check(profile):
        raise KeyError("oops")

    assert faults(check) == ["profiles.p.backend: the backend scripted cannot check this profile: KeyError: 'oops'"]


@pytest.mark.parametrize("check", [None, lambda profile: ()])
def test_a_profile_without_faults_is_used(check):
    profile = rf.Profile("p", backend="scripted")
    host = rf.PluginHost(plugins=[Plugin(check)])
    with rf.Client(rf.Config({"p": profile}, "p"), host) as client:
        assert client.complete(HELLO).text == "Hi"
