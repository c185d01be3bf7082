"""Each rule of the suite for backends is broken by a small wrong backend, and told in words."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import time
import urllib.request
from functools import partial
from urllib.parse import urlsplit

import attrs
import pytest

import roleforge_llm as rf
from roleforge_llm import transport
from roleforge_llm.testing import Answers, DoesNotConform, FaultServer, Reply, Stream, assert_backend_conforms
from roleforge_llm.testing.backend_failures import FAILING, broken_by_size, broken_when_servers_fail
from roleforge_llm.testing.backend_lifetimes import LEAVING, broken_when_callers_leave
from roleforge_llm.testing.backend_pauses import PAUSING, broken_by_pauses
from roleforge_llm.testing.backend_rules import GOOD, broken_when_all_is_well
from roleforge_llm.testing.backend_wire import SENT, broken_in_what_is_sent
from roleforge_llm.testing.backends import subject_of
from roleforge_llm_builtin.openai_compatible import OpenAICompatibleBackend

PROFILE = rf.Profile("p", model="m")
CHAT = rf.Capabilities(endpoints={"chat"})


class Parrot(rf.Backend):
    """A backend without a server, as it should be; those below change one thing."""

    def complete(self, request):
        return rf.Completion(self.said(request), "stop")

    def said(self, request):
        return f"You said: {request.messages[-1].text}"


class Texts(Parrot):
    def complete(self, request):
        return self.said(request)


class Finished(Parrot):
    def complete(self, request):
        return rf.Completion(self.said(request), "")


class Silent(Parrot):
    def complete(self, request):
        raise rf.BadReply("I say nothing", kind="shape")


class Pieces(Parrot):
    def stream(self, request):
        yield from self.said(request)


class Again(Parrot):
    def stream(self, request):
        yield rf.Chunk(self.said(request))
        yield rf.Chunk(self.said(request), finish_reason="stop")


class Unfinished(Parrot):
    def stream(self, request):
        yield rf.Chunk(self.said(request))


class Louder(Parrot):
    async def acomplete(self, request):
        return rf.Completion(self.said(request).upper(), "stop")


class Other(Parrot):
    async def astream(self, request):
        yield rf.Chunk("Pardon?", finish_reason="stop")


class ChatOnly(Parrot):
    def complete(self, request):
        if request.endpoint == "completions":
            raise rf.InvalidRequest("I only chat")
        return super().complete(request)


class Shared(Parrot):
    """Gives the first of those that speak at the same time the reply to the last."""

    def complete(self, request):
        self.request = request
        time.sleep(0.02)
        if self.request is not request:
            return rf.Completion("Pardon?", "stop")
        return super().complete(request)


class Once(Parrot):
    closed = False

    def complete(self, request):
        if self.closed:
            raise rf.BackendError("it is closed")
        return super().complete(request)

    def close(self):
        self.closed = True


class CloseOnce(Parrot):
    closed = False

    def close(self):
        if self.closed:
            raise RuntimeError("it was closed before")
        self.closed = True


class Counts(Parrot):
    capabilities = rf.Capabilities(counts_tokens=True)

    def count_tokens(self, request):
        return 7


class Windowless(Parrot):
    capabilities = rf.Capabilities(knows_context_window=True)


class NoDeadline(Parrot):
    def complete(self, request):
        if request.deadline is not None:
            raise NotImplementedError("deadlines")
        return super().complete(request)


WELL = [
    ("whole", Texts, "'You said: Hi'"),
    ("whole", Finished, "the finish reason ''"),
    ("whole", Silent, "BadReply: I say nothing"),
    ("stream", Pieces, "'Y'"),
    ("stream", Again, "the pieces ['You said: Hi', 'You said: Hi'], where the whole reply is 'You said: Hi'"),
    ("stream", Unfinished, "the finish reason None, where the whole reply has 'stop'"),
    ("async", Louder, "the text 'YOU SAID: HI', where complete gives 'You said: Hi'"),
    ("async", Other, "the pieces ['Pardon?']"),
    ("endpoints", ChatOnly, "InvalidRequest: I only chat"),
    ("threads", Shared, "the text 'Pardon?'"),
    ("close", Once, "BackendError: it is closed"),
    ("close", CloseOnce, "RuntimeError: it was closed before"),
    ("capabilities", Counts, "[7, 7] for a short and a longer text"),
    ("capabilities", Windowless, "None"),
    ("client", NoDeadline, "NotImplementedError: deadlines"),
]


class Wordy(OpenAICompatibleBackend):
    """The built-in backend, of which those below change one thing."""

    def changed(self, request):
        return request

    def complete(self, request):
        return super().complete(self.changed(request))

    def stream(self, request):
        return super().stream(self.changed(request))


class OtherBody(OpenAICompatibleBackend):
    def complete(self, request):
        return super().complete(attrs.evolve(request, sampler=rf.Sampler(top_p=0.1)))


class BodyWithKey(OpenAICompatibleBackend):
    def wire_body(self, request):
        return {**super().wire_body(request), "api_key": request.profile.key()}


class LastOnly(Wordy):
    def changed(self, request):
        return attrs.evolve(request, messages=request.messages[-1:])


class Anonymous(Wordy):
    def changed(self, request):
        return attrs.evolve(request, profile=attrs.evolve(request.profile, api_key=None))


class Headless(Wordy):
    def changed(self, request):
        return attrs.evolve(request, profile=attrs.evolve(request.profile, headers={}))


class FalsyIsNone(Wordy):
    def changed(self, request):
        return attrs.evolve(
            request, sampler=attrs.evolve(request.sampler, temperature=request.sampler.temperature or None)
        )


class WithNulls(Wordy):
    def changed(self, request):
        return attrs.evolve(
            request, sampler=attrs.evolve(request.sampler, extra={**request.sampler.extra, "top_k": None})
        )


class NoStops(Wordy):
    def changed(self, request):
        return attrs.evolve(request, stop=())


class AlwaysStops(Wordy):
    def changed(self, request):
        return attrs.evolve(request, stop=request.stop or ("\n",))


class Renames(OpenAICompatibleBackend):
    """Turns each error into another."""

    def renamed(self, error, request):
        return error

    def complete(self, request):
        try:
            return super().complete(request)
        except rf.BackendError as error:
            raise self.renamed(error, request) from None

    def stream(self, request):
        try:
            yield from super().stream(request)
        except rf.BackendError as error:
            raise self.renamed(error, request) from None


class Foreign(Renames):
    def renamed(self, error, request):
        return ValueError(str(error)) if error.status == 422 else error


class ForeignInAsyncio(OpenAICompatibleBackend):
    async def acomplete(self, request):
        try:
            return await super().acomplete(request)
        except rf.ServerError as error:
            raise ValueError(str(error)) from None


class TimelessInAsyncio(OpenAICompatibleBackend):
    async def astream(self, request):
        async for chunk in super().astream(attrs.evolve(request, deadline=None)):
            yield chunk


class AllTheSame(Renames):
    def renamed(self, error, request):
        return rf.BadReply(str(error), kind="unreadable") if type(error) is rf.RateLimited else error


class Kindless(Renames):
    def renamed(self, error, request):
        if error.kind in {"refused", "reset", "protocol"}:
            error.kind = "unexpected"
        return error


class Talkative(Renames):
    def renamed(self, error, request):
        error.message = f"{error.message} (sent with the key {request.profile.key()})"
        return error


class Caused(Renames):
    """Hides the key in what the error came from."""

    def renamed(self, error, request):
        error.__context__ = RuntimeError(dict(request.profile.headers)["x-canary"].reveal())
        return error


class Timeless(Wordy):
    def changed(self, request):
        return attrs.evolve(request, deadline=None)


class ReadsAll(OpenAICompatibleBackend):
    def complete(self, request):
        if request.deadline is not None and request.deadline - time.monotonic() > 10:
            with contextlib.suppress(OSError, http.client.HTTPException):
                urllib.request.urlopen(request.profile.base_url, b"{}", timeout=0.2).read()
        return super().complete(request)


class Unpacks(OpenAICompatibleBackend):
    def complete(self, request):
        try:
            return super().complete(request)
        except rf.TooLarge:
            return rf.Completion("a" * (48 << 20))


class Follows(Renames):
    def renamed(self, error, request):
        if error.kind == "redirect":
            url = urlsplit(request.profile.base_url)
            connection = http.client.HTTPConnection(url.netloc)
            connection.request("POST", url.path, b"{}")
            urllib.request.urlopen(connection.getresponse().headers["location"]).close()
            connection.close()
        return error


class AtTheEnd(OpenAICompatibleBackend):
    def stream(self, request):
        yield from list(super().stream(request))


class Impatient(OpenAICompatibleBackend):
    """Holds all of a stream to the limit of its first piece."""

    def stream(self, request):
        first = request.profile.timeouts.first_token
        deadline = request.deadline if first is None else time.monotonic() + first
        yield from super().stream(attrs.evolve(request, deadline=deadline))


class EndsSoftly(OpenAICompatibleBackend):
    """Takes a stream that breaks for one that has ended."""

    def stream(self, request):
        try:
            yield from super().stream(request)
        except rf.StreamBroken:
            return


class Held:
    """An iterator that does not let go."""

    def __init__(self, chunks):
        self.chunks = chunks

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.chunks)


class HeldAndClosed(Held):
    def close(self):
        pass


class Holds(OpenAICompatibleBackend):
    held = Held

    def __init__(self):
        super().__init__()
        self.streams = []

    def stream(self, request):
        self.streams.append(super().stream(request))
        return self.held(self.streams[-1])


class HoldsOn(Holds):
    held = HeldAndClosed


class Shielded(OpenAICompatibleBackend):
    def __init__(self):
        super().__init__()
        self.tasks = []

    async def acomplete(self, request):
        self.tasks.append(asyncio.ensure_future(super().acomplete(request)))
        return await asyncio.shield(self.tasks[-1])


class Swallows(OpenAICompatibleBackend):
    async def acomplete(self, request):
        try:
            return await super().acomplete(request)
        except asyncio.CancelledError:
            raise rf.BackendError("cancelled") from None


SERVED = [
    ("wire-body", OtherBody, broken_when_all_is_well, "but sent was"),
    ("wire-body", BodyWithKey, broken_when_all_is_well, "the key is in it"),
    ("conversation", LastOnly, broken_in_what_is_sent, "'(0: first said :0)' was not sent"),
    ("key", Anonymous, broken_in_what_is_sent, "the key was not sent"),
    ("key", Headless, broken_in_what_is_sent, "the header x-canary of the profile was not sent"),
    ("sampler", FalsyIsNone, broken_in_what_is_sent, "sent were temperature=None"),
    ("sampler", WithNulls, broken_in_what_is_sent, "top_k=None"),
    ("stop-sent", NoStops, broken_in_what_is_sent, "sent was None"),
    ("stop-sent", AlwaysStops, broken_in_what_is_sent, "sent was ['\\n']"),
    ("errors", Foreign, broken_when_servers_fail, "it should be InvalidRequest"),
    ("errors", ForeignInAsyncio, broken_when_servers_fail, "ValueError"),
    ("deadline", TimelessInAsyncio, broken_when_servers_fail, "it had not come back"),
    ("errors", AllTheSame, broken_when_servers_fail, "it should be RateLimited"),
    ("errors", EndsSoftly, broken_when_servers_fail, "it should be BadReply or ConnectFailed or StreamBroken"),
    ("retryable", Kindless, broken_when_servers_fail, "which counts as not worth a retry"),
    ("deadline", Timeless, broken_when_servers_fail, "it had not come back"),
    ("size", ReadsAll, broken_by_size, "192 MiB were read"),
    ("size", Unpacks, broken_by_size, "a reply with 48 MiB of text"),
    ("redirects", Follows, broken_when_servers_fail, "the other origin got GET /v1/chat/completions"),
    ("secrets", Talkative, broken_when_servers_fail, "shows the key in its text"),
    ("secrets", Caused, broken_when_servers_fail, "shows the key in its text of the RuntimeError that it came from"),
    ("partial", AtTheEnd, broken_when_servers_fail, "'', then StreamBroken"),
    ("idle", Impatient, broken_by_pauses, "then Timeout: no complete reply"),
    ("early-end", Holds, broken_when_callers_leave, "an iterator of type Held, which has no close"),
    ("early-end", HoldsOn, broken_when_callers_leave, "the connection is still open"),
    ("cancel", Shielded, broken_when_callers_leave, "the connection is still open"),
    ("cancel", Swallows, broken_when_callers_leave, "not with CancelledError"),
]
ALSO = {EndsSoftly: {"partial"}, Unpacks: {"errors"}}


def broken(factory, **settings):
    """What the backend breaks, by rule."""
    with pytest.raises(DoesNotConform) as caught:
        assert_backend_conforms(factory, **settings)
    return {each.rule: each for each in caught.value.broken}


def broken_in(part, factory, speaks="openai", capabilities=None):
    """What the backend breaks in one part of the suite: all of it takes seconds."""
    with FaultServer() as server:
        spec = rf.BackendSpec(factory.__name__, factory, capabilities or rf.Capabilities())
        subject = subject_of(spec, PROFILE, speaks, server)
        found: dict[str, object] = {}
        for each in part(subject, server):
            found.setdefault(each.rule, each)
        return found


def test_a_backend_without_a_server_conforms():
    assert_backend_conforms(Parrot)


@pytest.mark.parametrize(("rule", "backend", "came"), WELL, ids=[f"{row[0]}-{row[1].__name__}" for row in WELL])
def test_a_wrong_backend_breaks_its_rule_and_is_told_what_came_out(rule, backend, came):
    found = broken(backend, capabilities=getattr(backend, "capabilities", None))
    assert set(found) == {rule}
    assert came in found[rule].came
    assert found[rule].advice


@pytest.mark.parametrize(
    ("rule", "backend", "part", "came"), SERVED, ids=[f"{row[0]}-{row[1].__name__}" for row in SERVED]
)
def test_a_wrong_backend_with_a_server_breaks_its_rule_and_is_told(rule, backend, part, came):
    found = broken_in(part, backend)
    assert set(found) == {rule} | ALSO.get(backend, set())
    assert came in found[rule].came


@pytest.mark.parametrize(
    ("factory", "came"),
    [
        ("nowhere.at_all:Backend", "ModuleNotFoundError: No module named 'nowhere'"),
        (lambda number: Parrot(), "missing 1 required positional argument"),
        (rf.BackendSpec("a/b", Parrot), "no slash"),
        (object, "subclass roleforge_llm.Backend"),
    ],
    ids=["module", "arguments", "name", "no backend"],
)
def test_a_factory_that_makes_no_backend_breaks_the_rule_of_offers(factory, came):
    found = broken(factory)
    assert set(found) == {"offer"}
    assert came in found["offer"].came


def test_listing_a_backend_does_not_load_it(tmp_path, monkeypatch):
    package = tmp_path / "their_eager"
    package.mkdir()
    (package / "backend.py").write_text("from tests.testing.test_backend_conformance import Parrot\n")
    monkeypatch.syspath_prepend(tmp_path)
    spec = rf.BackendSpec("eager", "their_eager.backend:Parrot")
    (package / "__init__.py").write_text("")
    assert_backend_conforms(spec)
    (package / "__init__.py").write_text("import httpx2\n")
    assert broken(spec)["listing"].came == "loaded were httpx2"
    (package / "__init__.py").write_text("import no_such_library\n")
    assert "ModuleNotFoundError" in broken(spec)["listing"].came


class Generate(rf.Backend):
    """A protocol that the kit does not know: {"prompt": ...} gives {"said": ...}."""

    def __init__(self):
        self.clients = transport.PerProcess(transport.http_client)

    def complete(self, request):
        profile = request.profile
        call = transport.Call(f"{profile.base_url}/generate", profile.timeouts, request.deadline, profile.secrets())
        client = self.clients.get(call.origin)
        content = transport.encoded({"prompt": request.prompt})
        message = client.build_request("POST", call.url, content=content, headers=transport.headers_of(profile))
        with transport.opened(call, partial(client.send, message, stream=True)) as body:
            reply = transport.read_json(b"".join(body))
        if not isinstance(reply, dict) or not isinstance(reply.get("said"), str):
            raise rf.BadReply("the server said nothing", kind="shape")
        return rf.Completion(reply["said"], "stop")

    def close(self):
        for client in self.clients.drain():
            client.close()


class Careless(Generate):
    """Takes what it does not understand for an empty reply."""

    def complete(self, request):
        try:
            return super().complete(request)
        except rf.BadReply:
            return rf.Completion("", "stop")


COMPLETIONS = rf.Capabilities(endpoints={"completions"})
SAID = Answers(Reply(json={"said": "hello world"}))


def test_a_backend_of_another_protocol_is_held_to_the_same_rules():
    assert_backend_conforms(Generate, capabilities=COMPLETIONS, speaks=SAID)
    found = broken_in(broken_when_servers_fail, Careless, SAID, COMPLETIONS)
    assert set(found) == {"errors"}
    assert found["errors"].given == "complete, the answer is a page for people"


def test_a_backend_that_misunderstands_the_answers_is_told_what_was_sent():
    wrong = Answers(Reply(json={"text": "hello world"}))
    assert broken(Generate, capabilities=COMPLETIONS, speaks=wrong)["whole"].came == "BadReply: the server said nothing"


class Lines(Generate):
    """The same, with a stream of lines; it tells the clock of none."""

    def stream(self, request):
        profile = request.profile
        call = transport.Call(f"{profile.base_url}/generate", profile.timeouts, request.deadline, profile.secrets())
        client = self.clients.get(call.origin)
        message = client.build_request("POST", call.url, content=b"{}", headers=transport.headers_of(profile))
        with transport.opened(call, partial(client.send, message, stream=True)) as body:
            for piece in body:
                yield rf.Chunk(json.loads(piece)["said"])
                self.tell(call)

    def tell(self, call):
        pass


class Telling(Lines):
    def tell(self, call):
        call.clock.progress()


def test_a_stream_without_progress_breaks_the_rule_of_pauses():
    pieces = Answers(SAID.whole, Stream([b'{"said": "hello"}\n', b'{"said": " "}\n', b'{"said": "world"}\n']))
    found = broken_in(broken_by_pauses, Lines, pieces, COMPLETIONS)["idle"]
    assert "Timeout: no first piece of a reply was taken" in found.came
    assert "call.clock.progress()" in found.advice
    assert broken_in(broken_by_pauses, Telling, pieces, COMPLETIONS) == {}


def forgot_to_call(request):
    return Reply(json={"said": "hello world"})


def in_a_list(request):
    return [Reply(json={"said": "hello world"})]


def fails(request):
    raise KeyError("path")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (
            forgot_to_call,
            r"forgot_to_call failed: TypeError: it gave a Reply, which must be called: return Reply\(...\)\(request\)",
        ),
        (in_a_list, "in_a_list failed: TypeError: it gave a Reply among its actions, which are bytes, Pause or Cut"),
        (fails, "the function fails failed: KeyError: 'path'"),
    ],
)
def test_a_wrong_function_among_the_answers_is_not_blamed_on_the_backend(function, told):
    with pytest.raises(ValueError, match=told):
        assert_backend_conforms(Generate, capabilities=COMPLETIONS, speaks=Answers(function))


def test_a_profile_that_leads_to_a_server_is_used_as_it_is():
    with FaultServer(SAID.whole) as server:
        profile = rf.Profile("p", base_url=server.base_url)
        assert_backend_conforms(Generate, capabilities=COMPLETIONS, profile=profile)
        assert server.count > 10


def test_whether_a_backend_speaks_openais_protocol_is_found_out():
    with FaultServer() as server:
        assert subject_of(rf.BackendSpec("b", OpenAICompatibleBackend), PROFILE, None, server).openai
        assert subject_of(rf.BackendSpec("b", Parrot), PROFILE, None, server).answers is None


def test_what_it_speaks_must_be_known_to_the_kit():
    with pytest.raises(ValueError, match="speaks must be 'openai', 'nothing', Answers or None, not 'opanai'"):
        assert_backend_conforms(Parrot, speaks="opanai")


class Naive(rf.Backend):
    """Knows nothing of limits, and leaves all errors to the standard library."""

    def complete(self, request):
        body = json.dumps({"messages": [message.to_dict() for message in request.messages]}).encode()
        with urllib.request.urlopen(f"{request.profile.base_url}/chat/completions", body) as reply:
            return rf.Completion(json.load(reply)["choices"][0]["message"]["content"])


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it closes nothing
def test_a_backend_that_hangs_does_not_hang_the_suite():
    began = time.monotonic()
    found = broken(Naive, capabilities=CHAT)
    assert {"key", "errors", "deadline", "size", "cancel"} <= set(found)
    assert time.monotonic() - began < 40


def test_a_rule_can_be_waived_with_a_reason():
    assert_backend_conforms(Foreign, waive={"errors": "whoever catches a ValueError must be right"})


def test_capabilities_name_endpoints_that_there_are():
    assert (
        "telepathy" in broken(Parrot, capabilities=rf.Capabilities(endpoints={"chat", "telepathy"}))["endpoints"].came
    )
    assert_backend_conforms(ChatOnly, capabilities=CHAT)


def test_every_rule_has_a_backend_that_breaks_it():
    assert {row[0] for row in (*WELL, *SERVED)} == {*GOOD, *SENT, *FAILING, *PAUSING, *LEAVING}
