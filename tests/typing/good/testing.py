"""The testing kit, from outside."""

from collections.abc import Iterable

from roleforge_llm import (
    BackendError,
    BackendSpec,
    Client,
    Completion,
    Config,
    PluginHost,
    Profile,
    TemplateFormat,
    hookimpl,
)
from roleforge_llm.testing import (
    FaultServer,
    Received,
    ScriptedBackend,
    Session,
    Step,
    assert_backend_conforms,
    assert_format_conforms,
    assert_policy_conforms,
    no_waiting,
    plugin_host,
)

script: list[Step] = ["One.", Completion("Two.", "stop"), BackendError("no"), ["Th", "ree."]]
server = ScriptedBackend(*script)


class Plugin:
    @hookimpl
    def roleforge_backends(self) -> Iterable[BackendSpec]:
        return [server.spec("scripted")]


def test_a_call() -> None:
    profile = Profile("p", backend="scripted")
    host: PluginHost = plugin_host(Plugin(), builtin=True)
    with no_waiting(), Client(Config({"p": profile}, default_profile="p"), host) as client:
        assert client.complete([{"role": "user", "content": "Hi"}]).text == "One."
    assert server.requests[0].profile.name == "p"


def test_a_server() -> None:
    with FaultServer(["503", "ok"]) as faulty:
        session: Session = faulty.session(["ok"])
        received: list[Received] = faulty.requests
        print(faulty.base_url, faulty.count, session.count, received)


def test_conformance() -> None:
    assert_format_conforms(TemplateFormat.from_text("mine", "{{ user_message }}"))
    assert_backend_conforms(server.spec("scripted"))
    assert_policy_conforms(PluginHost().policy("backoff-then-fallback"))
