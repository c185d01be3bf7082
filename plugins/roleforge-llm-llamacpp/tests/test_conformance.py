"""The plugin keeps to what every backend owes, on servers that the kit plays."""

import attrs
import pytest
import roleforge_llm_llamacpp as plugin

from roleforge_llm import Capabilities, Profile
from roleforge_llm.testing import Answers, Reply, Stream, assert_backend_conforms

LAST = {"content": "", "stop": True, "stop_type": "eos", "tokens_predicted": 2, "tokens_evaluated": 5}
WHOLE = Reply(json={**LAST, "content": "hello world"})
STREAM = Stream([*({"content": text, "stop": False} for text in ("hello", " ", "world")), LAST])


def test_its_own_api_conforms() -> None:
    """Without chat, which is the built-in backend's, and tested there."""
    (spec,) = plugin.roleforge_backends()
    assert isinstance(spec.capabilities, Capabilities)
    native = attrs.evolve(spec, capabilities=attrs.evolve(spec.capabilities, endpoints="completions"))
    profile = Profile("p", backend="llamacpp", base_url="http://127.0.0.1:8080", template="chatml")
    assert_backend_conforms(native, profile=profile, speaks=Answers(WHOLE, STREAM))


@pytest.mark.usefixtures("_engine")
def test_it_conforms_on_the_engine_inside_the_application() -> None:
    (spec,) = plugin.roleforge_backends()
    profile = Profile("p", backend="llamacpp", model="canary")
    assert_backend_conforms(spec, profile=profile, speaks="nothing")
