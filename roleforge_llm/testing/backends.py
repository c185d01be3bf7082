"""The conformance suite of backends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Literal

import attrs

from roleforge_llm.backends import Backend, BackendSpec, Capabilities
from roleforge_llm.profiles import Endpoint, Profile
from roleforge_llm.testing.backend_failures import FAILING, broken_by_size, broken_when_servers_fail
from roleforge_llm.testing.backend_lifetimes import LEAVING, broken_when_callers_leave
from roleforge_llm.testing.backend_listing import LISTING, broken_in_listing
from roleforge_llm.testing.backend_pauses import PAUSING, broken_by_pauses
from roleforge_llm.testing.backend_rules import GOOD, LONGEST, WHOLE, broken_when_all_is_well
from roleforge_llm.testing.backend_wire import SENT, broken_in_what_is_sent
from roleforge_llm.testing.calls import Answers, Job, Made, Subject, outcomes, running
from roleforge_llm.testing.conformance import Broken, Rule, verdict
from roleforge_llm.testing.faultserver import FaultServer
from roleforge_llm.testing.mishaps import openai_answers

__all__ = ["assert_backend_conforms", "rules_for", "subject_of"]

_OFFER = Rule(
    "offer",
    "the factory makes a backend, and takes no arguments for it",
    "give BackendSpec a class or a function without arguments, or 'package.module:Class' as text",
)


def assert_backend_conforms(
    factory: BackendSpec | Callable[[], Backend] | str,
    *,
    profile: Profile | None = None,
    speaks: Literal["openai", "nothing"] | Answers | None = None,
    capabilities: Capabilities | None = None,
    waive: Mapping[str, str] | None = None,
) -> None:
    """Raise :class:`DoesNotConform`, an AssertionError with all that is wrong, unless the backend keeps its rules.

    *factory* is what makes the backend: a class, a function, ``"package.module:Class"``, or the whole
    :class:`~roleforge_llm.BackendSpec`; without that, *capabilities* says what it can do.

    *speaks* decides how its servers are played: "openai" is OpenAI's protocol, with every fault that the kit knows;
    :class:`Answers` are those of any other protocol over HTTP, with faults of the network and of HTTP; "nothing" leaves
    the network out, for a backend that asks no server, or one that *profile* leads to. Raises ValueError where a
    function among the Answers fails or gives something else than actions. None finds out which of
    "openai" and "nothing" it is. *profile* has the settings that requests need, such as a model; the kit's servers
    take the place of its URL, key and timeouts. *waive* names rules that cannot hold, each with the reason; a waiver
    that is not needed is an error, too. Takes some seconds where servers are played.
    """
    if isinstance(speaks, str) and speaks not in {"openai", "nothing"}:
        raise ValueError(f"speaks must be 'openai', 'nothing', Answers or None, not {speaks!r}")
    spec = _spec(factory, capabilities)
    given = profile or Profile("conformance", model="model")
    title = f"the backend {spec.name!r}"
    with FaultServer() as server:
        if (came := _fault_of_offer(spec, given)) is not None:
            verdict(title, [_OFFER.name], [_OFFER.broken(f"the factory {spec.factory!r}", came)], {})
        subject = subject_of(spec, given, speaks, server)
        found = list(_broken(subject, server))
        if server.wrong:
            raise ValueError(f"speaks: {server.wrong[0]}") from server.wrong[0]
        verdict(title, rules_for(subject), found, waive or {})


def _fault_of_offer(spec: BackendSpec, given: Profile) -> str | None:
    try:
        Made.of(spec, given).close()
        spec.capabilities_for(given)
    except Exception as error:  # noqa: BLE001  # whatever a plugin does wrong
        return f"{type(error).__name__}: {error}"
    return None


def _spec(factory: BackendSpec | Callable[[], Backend] | str, capabilities: Capabilities | None) -> BackendSpec:
    if isinstance(factory, BackendSpec):
        return factory
    name = factory.rpartition(":")[2] if isinstance(factory, str) else getattr(factory, "__name__", "backend")
    return BackendSpec(name.strip("<>"), factory, capabilities or Capabilities())


def subject_of(
    spec: BackendSpec, given: Profile, speaks: Literal["openai", "nothing"] | Answers | None, server: FaultServer
) -> Subject:
    """The backend of *spec* on the profile *given*, with what its servers speak; None has it found out."""
    subject = Subject(spec, partial(Made.of, spec, given), given, _endpoint(spec, given))
    if speaks is None:
        speaks = "openai" if given.base_url is None and _asks(subject, server) else "nothing"
    if speaks == "nothing":
        return subject
    openai = speaks == "openai"
    answers = openai_answers() if isinstance(speaks, str) else speaks
    return attrs.evolve(subject, answers=answers, openai=openai)


def _endpoint(spec: BackendSpec, profile: Profile) -> Endpoint:
    named = spec.capabilities_for(profile).endpoints
    return "chat" if "chat" in named else "completions"


def _asks(subject: Subject, server: FaultServer) -> bool:
    """Whether the backend turns to the server that its profile names."""
    session = server.session(openai_answers().whole)
    with running(subject) as made:
        outcomes([Job(made, "complete", subject.request(session.base_url))], LONGEST)
    return session.count > 0


def rules_for(subject: Subject) -> tuple[str, ...]:
    """The names of the rules that *subject* is held to."""
    if subject.answers is None:
        return (_OFFER.name, LISTING, *GOOD)
    return (_OFFER.name, LISTING, *GOOD, *(SENT if subject.openai else SENT[:2]), *FAILING, *PAUSING, *LEAVING)


def _broken(subject: Subject, server: FaultServer) -> Iterator[Broken]:
    yield from broken_in_listing(subject.spec)
    found = list(broken_when_all_is_well(subject, server))
    yield from found
    # A backend that does not understand good answers has nothing to say of bad ones.
    if subject.answers is not None and WHOLE not in {each.rule for each in found}:
        yield from broken_in_what_is_sent(subject, server)
        yield from broken_when_servers_fail(subject, server)
        yield from broken_by_size(subject, server)
        yield from broken_by_pauses(subject, server)
        yield from broken_when_callers_leave(subject, server)
