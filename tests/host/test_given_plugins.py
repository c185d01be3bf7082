"""Plugins that are given in code: modules, objects, instances of classes."""

import functools
import logging
import sys
import threading
import types

import click
import pytest

import roleforge_llm as rf
from roleforge_llm.attempts import Attempt, Event
from roleforge_llm.host import OfferKind


class Echo(rf.Backend):
    def complete(self, request):
        return rf.Completion(request.prompt or "", "stop")


class Mine:
    """A plugin as an object."""

    def __init__(self, name="mine"):
        self.name = name

    @rf.hookimpl
    def roleforge_formats(self):
        return [rf.TemplateFormat.from_text(self.name, "{{ user_message }}")]

    @rf.hookimpl
    def roleforge_backends(self):
        return [rf.BackendSpec("echo", Echo)]

    @rf.hookimpl
    def roleforge_failure_policies(self):
        return (rf.PolicySpec("never", lambda profile: None, lambda profile: (1, 0.0)),)

    @rf.hookimpl
    def roleforge_commands(self):
        yield click.Command("greet")


def alone(*plugins, **more):
    return rf.PluginHost(entry_points=False, plugins=plugins, **more)


def only(host):
    (record,) = host.records
    return record


def test_a_host_sees_only_what_it_is_given():
    host = alone(Mine())
    assert host.format_names() == ["mine"]
    assert host.backend_names() == ["echo"]
    assert host.policy_names() == ["never"]
    assert [command.name for command in host.commands()] == ["greet"]


def test_what_is_offered_is_what_is_got():
    host = alone(Mine())
    assert rf.render([{"role": "user", "content": "Hi"}], "mine", host=host).text == "Hi"
    assert host.backend("echo").factory is Echo
    assert host.policy("never").limits(rf.Profile("p")) == (1, 0.0)
    assert host.command("greet").name == "greet"


def test_a_record_tells_what_a_plugin_provides():
    record = only(alone(Mine()))
    assert (record.name, record.distribution, record.status, record.error) == ("Mine", "", "loaded", None)
    assert record.provides == ("format mine", "backend echo", "failure policy never", "command greet")


def test_a_record_tells_which_hooks_a_plugin_has_that_list_nothing():
    class Watching:
        @rf.hookimpl
        def roleforge_event(self, event):
            pass

        @rf.hookimpl
        def roleforge_classify_error(self, error):
            pass

        @rf.hookimpl
        def roleforge_commands(self):
            return [click.Command("watch")]

    host = alone(Mine(), Watching())
    assert host.records[1].provides == ("command watch", "classifies errors", "observes events")
    assert host.records == host.records


@pytest.mark.parametrize("plugin", [object(), None, types.ModuleType("empty"), "text"])
def test_a_plugin_without_hooks_has_failed(plugin):
    record = only(alone(plugin))
    assert (record.status, record.provides) == ("failed", ())
    assert record.error == "it has no hooks; mark functions such as roleforge_formats with @hookimpl"


def test_a_format_with_an_attribute_of_the_wrong_type_is_named():
    class Wrong(rf.PromptFormat):
        name = "wrong-one"
        stop = "x"
        bos = None

    class Plugin:
        @rf.hookimpl
        def roleforge_formats(self):
            return [Wrong()]

    error = "roleforge_formats: it gave the format 'wrong-one' whose stop, bos has the wrong type: "
    assert only(alone(Plugin())).error == f"{error}stop must be a tuple of texts; bos must be text"


def test_a_disabled_name_that_no_plugin_has_is_a_warning(caplog):
    alone(Mine(), disabled=["mine", "*"])
    assert caplog.records == []
    alone(Mine(), disabled=["Mien", "zzz"])
    assert [entry.getMessage() for entry in caplog.records] == [
        "[plugins] disable names 'Mien', which is no plugin or distribution; did you mean Mine?",
        "[plugins] disable names 'zzz', which is no plugin or distribution; it changes nothing",
    ]


def test_a_module_is_a_plugin():
    module = types.ModuleType("my_module")
    module.roleforge_formats = rf.hookimpl(lambda: [rf.TemplateFormat.from_text("of-module", "x")])
    host = alone(module)
    assert host.format_names() == ["of-module"]
    assert host.provider(OfferKind.FORMAT, "of-module").name == "my_module"


def test_two_objects_of_one_class_are_two_plugins():
    host = alone(Mine("first"), Mine("second"))
    assert host.format_names() == ["first", "second"]
    assert [record.name for record in host.records] == ["Mine", "Mine-2"]
    assert host.backend("Mine-2:echo").name == "echo"


def test_one_object_given_twice_is_one_plugin():
    plugin = Mine()
    host = alone(plugin, plugin)
    assert host.format_names() == ["mine"]
    assert [record.status for record in host.records] == ["loaded", "conflict"]


def test_a_given_plugin_works_beside_the_installed_ones():
    host = rf.PluginHost(plugins=[Mine()])
    assert {"chatml", "mine"} <= set(host.format_names())


def test_a_given_plugin_is_disabled_by_name_but_not_by_the_star():
    assert only(alone(Mine(), disabled=["Mine"])).status == "disabled"
    assert only(alone(Mine(), disabled=["*"])).status == "loaded"


def test_asking_for_what_a_broken_given_plugin_provides_names_it():
    class Broken:
        @rf.hookimpl
        def roleforge_backends(self):
            raise OSError("no socket for broken-backend", "broken-backend")

    with pytest.raises(rf.PluginError, match=r"'broken-backend' needs the plugin Broken, which failed: .*OSError"):
        alone(Broken()).backend("broken-backend")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda host: host.backend("ecko"), "no plugin offers the backend 'ecko'; did you mean echo?"),
        (lambda host: host.policy("zzz"), "no plugin offers the failure policy 'zzz'; known: never"),
    ],
)
def test_asking_for_what_nobody_provides_tells_the_nearest_names(ask, message):
    with pytest.raises(rf.PluginError) as caught:
        ask(alone(Mine()))
    assert str(caught.value) == message


def test_formats_and_commands_that_nobody_provides_are_none():
    host = alone(Mine())
    assert host.format("zzz") is None
    assert host.command("zzz") is None
    assert host.provider(OfferKind.FORMAT, "zzz") is None


def test_one_wrong_offer_costs_only_itself():
    class Half:
        @rf.hookimpl
        def roleforge_formats(self):
            return [42, rf.TemplateFormat.from_text("right", "x")]

    host = alone(Half())
    assert host.format_names() == ["right"]
    assert only(host).status == "failed"
    assert only(host).provides == ("format right",)


@pytest.mark.parametrize(
    "spec",
    [
        rf.BackendSpec("b", factory="no colon"),
        rf.BackendSpec("b", factory=None),
        rf.BackendSpec("b", Echo, capabilities={"chat"}),
    ],
)
def test_a_backend_that_could_not_be_used_is_refused_when_it_is_listed(spec):
    class Plugin:
        @rf.hookimpl
        def roleforge_backends(self):
            return [spec]

    assert only(alone(Plugin())).status == "failed"


def test_a_policy_without_limits_is_refused_when_it_is_listed():
    class Plugin:
        @rf.hookimpl
        def roleforge_failure_policies(self):
            return [rf.PolicySpec("p", lambda profile: None, None)]

    assert "limits that cannot be called" in only(alone(Plugin())).error


def test_listing_hooks_are_called_once_for_all_threads():
    calls = []

    class Counting:
        @rf.hookimpl
        def roleforge_formats(self):
            calls.append(threading.current_thread())
            return []

    host = alone(Counting())
    threads = [threading.Thread(target=host.format_names) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_a_plugin_may_ask_the_host_while_it_lists():
    class Asking:
        @rf.hookimpl
        def roleforge_formats(self):
            return [rf.TemplateFormat.from_text(f"{name}-too", "x") for name in host.format_names()]

    host = alone(Mine(), Asking())
    assert host.format_names() == ["mine", "mine-too"]


def test_a_plugin_that_claims_to_equal_all_others_is_one_of_many():
    class Chameleon(Mine):
        __hash__ = None

        def __eq__(self, other):
            return True

    host = alone(Chameleon("first"), Mine("second"))
    assert host.format_names() == ["first", "second"]


def test_what_else_a_plugin_has_is_its_own_affair():
    class Odd(Mine):
        __name__ = property(lambda self: 1 / 0)
        broken = property(lambda self: 1 / 0)

    assert alone(Odd()).records[0].status == "loaded"


def test_a_class_without_need_of_an_object_is_a_plugin():
    class Static:
        @staticmethod
        @rf.hookimpl
        def roleforge_formats():
            return [rf.TemplateFormat.from_text("static", "x")]

    host = alone(Static, Mine)
    assert host.format_names() == ["static"]
    assert [(record.name, record.status) for record in host.records] == [("Static", "loaded"), ("Mine", "failed")]
    assert "roleforge_formats is a method, but the plugin is the class Mine itself" in host.records[1].error


def test_a_name_is_plain_text_whatever_its_class_does():
    class Name(str):
        __slots__ = ()
        __hash__ = None

        def strip(self):
            raise RuntimeError

    class Named(Mine):
        @rf.hookimpl
        def roleforge_failure_policies(self):
            return [rf.PolicySpec(Name("named"), lambda profile: None, lambda profile: (1, 0.0))]

    assert alone(Named()).policy_names() == ["named"]


def test_a_decorated_hook_gets_the_arguments_of_the_function_inside():
    seen = []

    def counted(function):
        @functools.wraps(function)
        def call(*arguments):
            seen.append(arguments)
            return function(*arguments)

        return call

    class Decorated:
        @rf.hookimpl
        @counted
        def roleforge_classify_error(self, attempt, error):
            assert (attempt, type(error)) == (ATTEMPT, OSError)

    host = alone(Decorated())
    assert host.classify_error(OSError(), ATTEMPT) is None
    assert len(seen) == 1


def test_hosts_in_several_threads_leave_stdout_as_it_was():
    before = sys.stdout, sys.stderr
    inside = threading.Barrier(2, timeout=30)
    outside = threading.Event()

    class Waiting:
        def __init__(self, *, first):
            self.first = first

        @rf.hookimpl
        def roleforge_formats(self):
            inside.wait()
            return [] if self.first else [outside.wait(30)][:0]

    def first():
        alone(Waiting(first=True)).format_names()
        outside.set()

    threads = [
        threading.Thread(target=first),
        threading.Thread(target=lambda: alone(Waiting(first=False)).format_names()),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sys.stdout, sys.stderr) == before


# ---------------------------------------------------------------------- classifiers and observers

ATTEMPT = Attempt("p", 1, ok=False)
EVENT = Event("finished", 1, "p", 1)


def classifier(answer):
    class Classifier:
        @rf.hookimpl
        def roleforge_classify_error(self, error):
            if isinstance(answer, BaseException):
                raise answer
            return answer

    return Classifier()


def failure(retryable):
    return rf.Failure(error=rf.BackendError("x"), retryable=retryable)


def test_the_plugin_registered_last_classifies_first_and_may_leave_it_to_others():
    assert alone(classifier(failure(False)), classifier(failure(True))).classify_error(OSError(), ATTEMPT).retryable
    assert not alone(classifier(failure(False)), classifier(None)).classify_error(OSError(), ATTEMPT).retryable
    assert alone().classify_error(OSError(), ATTEMPT) is None


@pytest.mark.parametrize(
    "answer",
    [RuntimeError("broken"), SystemExit(1), GeneratorExit(), "yes", rf.Failure(error=OSError(), retryable=True)],
)
def test_a_broken_classifier_is_logged_and_passed_over(answer, caplog):
    host = alone(classifier(failure(True)), classifier(answer))
    assert host.classify_error(OSError(), ATTEMPT).retryable
    (entry,) = caplog.records
    assert entry.getMessage().startswith("plugin Classifier-2 failed in roleforge_classify_error: ")


def test_a_broken_observer_is_logged_and_the_others_still_observe(caplog):
    seen = []

    class Broken:
        @rf.hookimpl
        def roleforge_event(self, event):
            raise SystemExit("enough")

    class Observer:
        @rf.hookimpl
        def roleforge_event(self, event):
            seen.append(event)

    alone(Observer(), Broken(), Observer()).emit(EVENT)
    assert seen == [EVENT, EVENT]
    assert [entry.getMessage() for entry in caplog.records] == [
        "plugin Broken failed in roleforge_event: SystemExit: enough"
    ]


@pytest.mark.parametrize(("level", "traced"), [(logging.ERROR, False), (logging.DEBUG, True)])
def test_the_traceback_of_a_broken_hook_is_logged_at_debug_only(level, traced, caplog):
    with caplog.at_level(level, "roleforge_llm"):
        alone(classifier(RuntimeError("broken"))).classify_error(OSError(), ATTEMPT)
    assert bool(caplog.records[0].exc_info) is traced


def test_a_hook_that_fails_again_and_again_is_an_error_once(caplog):
    class Broken:
        @rf.hookimpl
        def roleforge_event(self, event):
            raise RuntimeError("broken")

        @rf.hookimpl
        def roleforge_classify_error(self, error):
            raise RuntimeError("broken")

    host = alone(Broken())
    with caplog.at_level(logging.DEBUG, "roleforge_llm"):
        for _ in range(3):
            host.emit(EVENT)
            host.classify_error(OSError(), ATTEMPT)
    assert [entry.levelno for entry in caplog.records] == [logging.ERROR] * 2 + [logging.DEBUG] * 4


def test_a_pressed_ctrl_c_passes_through_an_observer():
    class Pressed:
        @rf.hookimpl
        def roleforge_event(self, event):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alone(Pressed()).emit(EVENT)
