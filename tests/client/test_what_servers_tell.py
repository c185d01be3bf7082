"""What a completion has of its server's own words: the stop sequence that ended it, and the server's object."""

from __future__ import annotations

import pytest

import roleforge_llm as rf
from roleforge_llm.testing import ScriptedBackend

HELLO = [{"role": "user", "content": "Hello"}]


class Plugin:
    def __init__(self, backend):
        self.backend = backend

    @rf.hookimpl
    def roleforge_backends(self):
        return [self.backend.spec("scripted")]


def reply(step, *, stream):
    profile = rf.Profile("p", backend="scripted", endpoint="chat", sampler=rf.Sampler(stop=("END", "STOP")))
    host = rf.PluginHost(plugins=[Plugin(ScriptedBackend(step))])
    with rf.Client(rf.Config({"p": profile}, "p"), host) as client:
        if not stream:
            return client.complete(HELLO)
        with client.stream(HELLO) as pieces:
            assert "".join(pieces) == pieces.completion.text
        return pieces.completion


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("step", "text", "stop"),
    [
        (rf.Completion("Hi", "stop", stop_sequence="END"), "Hi", "END"),
        (rf.Completion("Hi", "stop"), "Hi", None),
        (rf.Completion("Hi STOP more", "stop"), "Hi ", "STOP"),
        (rf.Completion("Hi STOP more", "stop", stop_sequence="END"), "Hi ", "STOP"),
    ],
    ids=["told by the server", "not told", "found here", "found here before the server's"],
)
def test_the_stop_sequence_that_ended_the_text_is_told(step, text, stop, stream):
    completion = reply(step, stream=stream)
    assert (completion.text, completion.stop_sequence) == (text, stop)


@pytest.mark.parametrize("stream", [False, True])
def test_the_servers_own_object_is_kept_of_whole_replies_and_of_streams(stream):
    assert reply(rf.Completion("Hi", "stop", raw={"a": 1}), stream=stream).raw == {"a": 1}
