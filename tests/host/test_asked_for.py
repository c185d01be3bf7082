"""What a plugin does wrong when it is used, not when it is listed, is one error that says what failed and why."""

import logging

import click
import pytest

import roleforge_llm as rf
from roleforge_llm.host.listing import offers_in
from roleforge_llm.host.offers import OfferKind
from roleforge_llm.testing import ScriptedBackend

HELLO = [{"role": "user", "content": "Hello!"}]


class Wordless(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class Unshown:
    def __repr__(self):
        raise RuntimeError("nothing to show")


def fails(error):
    def failing(*_):
        raise error

    return failing


class Echo(rf.Backend):
    def complete(self, request):
        return rf.Completion("Hi.", "stop")


class Policy(rf.FailurePolicy):
    def __init__(self, decide):
        self.decide = decide


def policy(decide):
    return rf.PolicySpec("mine", lambda profile: Policy(decide), lambda profile: (1, 0.0))


def client(*, backend=None, failure_policy=None):
    class Plugin:
        @rf.hookimpl
        def roleforge_backends(self):
            return [backend or rf.BackendSpec("mine", Echo)]

        @rf.hookimpl
        def roleforge_failure_policies(self):
            return [failure_policy] if failure_policy else []

    name = "mine" if failure_policy else "backoff-then-fallback"
    profile = rf.Profile("a", backend="mine", failure_policy=name)
    return rf.Client(rf.Config({"a": profile}, "a"), rf.PluginHost(plugins=[Plugin()]))


def derived(derive):
    return rf.DerivedPolicySpec("mine", "backoff-then-fallback", derive)


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(0), Wordless()])
@pytest.mark.parametrize(
    ("place", "made"),
    [
        ("factory", lambda fail: {"backend": rf.BackendSpec("mine", fail)}),
        ("capabilities", lambda fail: {"backend": rf.BackendSpec("mine", Echo, capabilities=fail)}),
        ("check", lambda fail: {"backend": rf.BackendSpec("mine", Echo, check=fail)}),
        ("policy", lambda fail: {"failure_policy": rf.PolicySpec("mine", fail, lambda profile: (1, 0.0))}),
        ("limits", lambda fail: {"failure_policy": rf.PolicySpec("mine", lambda profile: Policy(fail), fail)}),
        ("derive", lambda fail: {"failure_policy": derived(fail)}),
    ],
)
def test_whatever_is_raised_is_one_error_of_ours(place, made, error):
    with client(**made(fails(error))) as bench, pytest.raises(rf.RoleforgeError) as caught:
        bench.complete(HELLO)
    assert type(error).__name__ in str(caught.value)
    assert "mine" in str(caught.value)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"backend": rf.BackendSpec("mine", Echo, capabilities=lambda profile: None)}, "NoneType, not Capabilities"),
        ({"backend": rf.BackendSpec("mine", Echo, check=lambda profile: [None])}, "cannot check this profile"),
        ({"failure_policy": rf.PolicySpec("mine", lambda profile: None, lambda profile: (1, 0.0))}, "has no decide"),
    ],
)
def test_what_is_given_must_be_what_it_should_be(made, said):
    with client(**made) as bench, pytest.raises(rf.ConfigError, match=said):
        bench.complete(HELLO)


def test_the_capabilities_are_asked_for_once_for_each_profile():
    asked = []

    def capabilities(profile):
        asked.append(profile.name)
        return rf.Capabilities()

    with client(backend=rf.BackendSpec("mine", Echo, capabilities)) as bench:
        bench.complete(HELLO)
    assert asked == ["a"]


@pytest.mark.parametrize(
    ("decide", "said"),
    [
        (fails(Wordless()), "failure policy mine failed: Wordless: its text cannot be read; falling back"),
        (lambda failure: Unshown(), "failure policy mine gave an object of type Unshown; falling back"),
    ],
)
def test_a_policy_that_cannot_decide_is_one_line_in_the_log(decide, said, caplog):
    scripted = ScriptedBackend(rf.ServerError("busy", status=503))
    bench = client(backend=scripted.spec("mine"), failure_policy=policy(decide))
    with caplog.at_level(logging.INFO), bench, pytest.raises(rf.AllProfilesFailed):
        bench.complete(HELLO)
    (told,) = [record for record in caplog.records if record.getMessage() == said]
    assert not told.exc_info


def test_a_backend_that_cannot_be_closed_does_not_cost_the_reply(caplog):
    class Clinging(Echo):
        close = fails(RuntimeError("stuck"))

    with client(backend=rf.BackendSpec("mine", Clinging)) as bench:
        assert bench.complete(HELLO).text == "Hi."
    assert "a backend, Clinging, could not be closed: RuntimeError: stuck" in caplog.text


class Named(rf.PromptFormat):
    stop = ()

    def __init__(self, name):
        self.name = name

    def render(self, conversation, variables=None):
        return ""


async def waits():
    """Nothing that click would wait for."""


@pytest.mark.parametrize(
    ("kind", "item", "said"),
    [
        (OfferKind.FORMAT, Named(Unshown()), "whose name is an object of type Unshown"),
        (OfferKind.FORMAT, Named("server"), "the format of a server"),
        (OfferKind.FORMAT, Named("mine.jinja"), "read as a path"),
        (OfferKind.FORMAT, Named("{{ mine }}"), "a template's text"),
        (OfferKind.FORMAT, Named("-mine"), "no hyphen in front"),
        (OfferKind.COMMAND, click.Command("--version"), "no hyphen in front"),
        (OfferKind.COMMAND, click.Command("mine", callback=waits), "whose callback is async"),
        (OfferKind.BACKEND, rf.BackendSpec("mine", Echo, description=5), "whose description is no text"),
        (OfferKind.POLICY, rf.DerivedPolicySpec("mine", 5, policy), "whose base is no name"),
    ],
)
def test_what_could_never_be_used_is_refused_and_costs_nothing_else(kind, item, said):
    right, wrong = offers_in(kind, [item])
    assert (right, len(wrong)) == ([], 1)
    assert said in wrong[0]


def test_a_name_that_is_overridden_and_that_nobody_offers_is_told(caplog):
    host = rf.PluginHost(overridden={"chatml", "openai-compatibel"})
    host.check_overridden()
    assert [record.getMessage() for record in caplog.records] == [
        "[plugins] override names 'openai-compatibel', which is no format, backend or failure policy; "
        "did you mean openai-compatible?"
    ]


def test_a_plugin_without_a_name_has_one_all_the_same():
    def listing(self):
        return [Named("mine")]

    nameless = type("", (), {"roleforge_formats": rf.hookimpl(listing, specname="roleforge_formats")})
    (record,) = rf.PluginHost(entry_points=False, plugins=[nameless()]).records
    assert (record.name, record.provides) == ("unnamed", ("format mine",))
