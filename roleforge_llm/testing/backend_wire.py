"""What a backend must send: the conversation, the key, and for OpenAI's protocol each setting under its name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from roleforge_llm.backends import Request
from roleforge_llm.messages import Message
from roleforge_llm.profiles import Sampler
from roleforge_llm.testing.backend_rules import LONGEST
from roleforge_llm.testing.calls import HEADER, KEY, Job, Subject, outcomes, running
from roleforge_llm.testing.conformance import Broken, Rule
from roleforge_llm.testing.faultserver import FaultServer
from roleforge_llm.testing.wire import Received

__all__ = ["SENT", "broken_in_what_is_sent"]

_CONVERSATION = Rule(
    "conversation",
    "what the messages or the prompt say reaches the server",
    "send request.prompt on the completions endpoint, request.messages on the chat endpoint, unchanged",
)
_KEY = Rule(
    "key",
    "the profile's key and headers reach its server",
    "send request.profile.key(), and reveal() of each of request.profile.headers, in headers",
)
_SAMPLER = Rule(
    "sampler",
    "each setting of the sampler that is not None is sent as OpenAI names it, 0 is a value, None is not sent",
    "copy request.sampler field by field, test for 'is not None', and add sampler.extra as it is",
)
_STOP = Rule(
    "stop-sent",
    "the stop sequences are sent, as many as the capabilities allow",
    "send list(request.stop), cut at capabilities.max_stop, and none where there are none",
)
SENT = tuple(rule.name for rule in (_CONVERSATION, _KEY, _SAMPLER, _STOP))
"""The names of these rules; the last two are for OpenAI's protocol."""

_SETTINGS = {
    "temperature": 0,
    "top_p": 0.5,
    "frequency_penalty": 0.25,
    "presence_penalty": 0,
    "seed": 7,
}
_UNSET = ("top_k", "min_p", "logit_bias")
_EXTRA = {"a_setting_of_its_own": [1, 2]}
_STOPS = ("###", "\nEND")
_SAID = (Message("user", "(0: first said :0)"), Message("assistant", "(1: answered :1)"), Message("user", "(2: é? :2)"))


def broken_in_what_is_sent(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    """The rules of this module that *subject*, whose protocol is known, breaks."""
    received, request = _received(subject, server, stop=_STOPS)
    sent = "\n".join(f"{each.path} {dict(each.headers)} {_text(each)}" for each in received)
    if missing := [message.text for message in _SAID if message.text not in sent]:
        yield _CONVERSATION.broken(f"{subject.endpoint}: {_SAID[0].text!r} and more", f"{missing[0]!r} was not sent")
    if KEY not in sent or HEADER not in sent:
        what = "the key" if KEY not in sent else "the header x-canary of the profile"
        yield _KEY.broken("a profile with a key and a header", f"{what} was not sent")
    if subject.openai and received:
        yield from _settings(received[-1].json)
        yield from _stops(subject, server, received[-1].json, request)


def _received(subject: Subject, server: FaultServer, **changes: object) -> tuple[list[Received], Request]:
    assert subject.answers is not None
    session = server.session([subject.answers.whole])
    extra = _EXTRA if subject.openai else {}  # a protocol of its own may refuse what it does not know
    sampler = Sampler(**_SETTINGS, max_tokens=33, extra=extra)  # type: ignore[arg-type]  # as it is declared
    request = subject.request(session.base_url, messages=_SAID, sampler=sampler, **changes)
    with running(subject) as made:
        outcomes([Job(made, "complete", request)], LONGEST)
    return session.requests, request


def _text(received: Received) -> str:
    """The body with what JSON escapes."""
    return json.dumps(received.json, ensure_ascii=False) if received.json else received.body.decode(errors="replace")


def _settings(body: Mapping[str, object]) -> Iterator[Broken]:
    wrong = {name: body.get(name) for name, value in {**_SETTINGS, **_EXTRA}.items() if body.get(name) != value}
    if body.get("max_tokens", body.get("max_completion_tokens")) != 33:
        wrong["max_tokens"] = body.get("max_tokens")
    wrong |= {name: body[name] for name in _UNSET if name in body}
    if wrong:
        given = ", ".join(f"{name}={value!r}" for name, value in {**_SETTINGS, "max_tokens": 33, **_EXTRA}.items())
        yield _SAMPLER.broken(given, f"sent were {', '.join(f'{name}={value!r}' for name, value in wrong.items())}")


def _stops(subject: Subject, server: FaultServer, body: Mapping[str, object], request: Request) -> Iterator[Broken]:
    allowed = subject.spec.capabilities_for(request.profile).max_stop
    if body.get("stop") != list(_STOPS[:allowed]):
        yield _STOP.broken(f"stop={_STOPS!r}", f"sent was {body.get('stop')!r}")
        return
    without, _ = _received(subject, server)
    if without and without[-1].json.get("stop"):
        yield _STOP.broken("no stop sequences", f"sent was {without[-1].json.get('stop')!r}")
