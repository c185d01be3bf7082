"""``rf.render``: messages in, a prompt out, with no configuration."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import roleforge_llm as rf
from roleforge_llm.messages import conversation
from roleforge_llm.rendering import RoleforgeWarning, render_guarded
from roleforge_llm.testing import ScriptedBackend

HI = [{"role": "user", "content": "Hi"}]


class Theirs(rf.PromptFormat):
    """A third party's format that gives whatever it is made with."""

    name = "theirs"

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def render(self, conversation: rf.Conversation, variables: Mapping[str, object] | None = None) -> str:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome  # type: ignore[return-value]  # a third party may be wrong


def test_the_default_format_is_chatml() -> None:
    prompt = rf.render(HI)
    assert prompt.text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert prompt.stop == ("<|im_end|>", "<|im_start|>")
    assert (prompt.format, prompt.warnings) == ("chatml", ())


def test_messages_and_dicts_are_alike() -> None:
    assert rf.render([rf.Message("user", "Hi")], "alpaca") == rf.render(HI, "alpaca")


def test_a_prefill_and_a_trailing_assistant_message_are_alike() -> None:
    assert rf.render(HI, "vicuna", "Well") == rf.render([*HI, {"role": "assistant", "content": "Well"}], "vicuna")


def test_a_path_is_a_format(tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text('{% set stop_sequence = ["#"] %}\n{{ user_message }}{{ mood }}', encoding="utf-8")
    assert rf.render(HI, str(path), variables={"mood": "!"}) == rf.Prompt("Hi!", ("#",), "mine")


def test_an_unknown_format_warns_at_the_callers_line_and_falls_back() -> None:
    with pytest.warns(RoleforgeWarning, match=r"'chatml5'.*did you mean 'chatml'") as caught:
        prompt = rf.render(HI, "chatml5")
    assert caught[0].filename == __file__
    assert (prompt.format, len(prompt.warnings)) == ("chatml", 1)
    assert prompt.text == rf.render(HI).text


def test_a_known_format_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rf.render(HI, "llama2")


def test_the_host_given_is_the_one_asked(tmp_path: Path) -> None:
    class Offered:
        overridden: Sequence[str] = ()

        def format_names(self) -> list[str]:
            return ["theirs"]

        def format(self, name: str) -> rf.PromptFormat | None:
            return Theirs("done") if name == "theirs" else None

    assert rf.render(HI, "theirs", host=Offered()).text == "done"


def test_a_path_object_is_a_path_and_never_a_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text("{{ user_message }}!", encoding="utf-8")
    assert rf.render(HI, path) == rf.render(HI, str(path))
    assert rf.unescape("Hi", path) == "Hi"
    for absent in (Path("absent") / "mine.jinja", Path("chatml")):
        with pytest.raises(rf.FormatNotFound, match="no such template file"):
            rf.render(HI, absent)


@pytest.mark.parametrize("format_", [None, 3, b"chatml", ["chatml"]])
def test_a_format_that_is_neither_text_nor_path_is_an_error_that_says_what_is_taken(format_: object) -> None:
    with pytest.raises(
        rf.FormatNotFound, match=r"a format is a name, the path .*, not (NoneType|int|bytes|list); give"
    ):
        rf.render(HI, format_)  # type: ignore[arg-type]  # wrong on purpose


def test_variables_that_are_no_dict_are_an_error() -> None:
    with pytest.raises(rf.FormatError, match="variables must be a dict of names and values, not list"):
        rf.render(HI, "chatml", variables=[1])  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("template", "advice"),
    [
        ("{{ user_mesage }}", "it reads user_mesage, did you mean user_message?"),
        ("{% for m in mesages %}{{ m.content }}{% endfor %}", "it reads mesages, did you mean messages?"),
        ("", "a template shows them with system_prompt, history and user_message, or with messages"),
        ("Constant.", "a template shows them with"),
    ],
)
def test_a_prompt_that_shows_nothing_of_what_is_said_has_a_warning(template: str, advice: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text(template, encoding="utf-8")
    (warning,) = rf.render([{"role": "user", "content": "Good evening"}], path).warnings
    assert warning.startswith(f"the prompt format 'mine' shows none of the messages' text; {advice}")


def test_a_completion_tells_of_a_silent_format_too() -> None:
    server = ScriptedBackend("Yes?")

    class Plugin:
        @rf.hookimpl
        def roleforge_backends(self) -> list[rf.BackendSpec]:
            return [server.spec("scripted")]

    profile = rf.Profile("p", backend="scripted", template="{{ user_mesage }}", endpoint="completions")
    with rf.Client(rf.Config({"p": profile}, "p"), rf.PluginHost(plugins=[Plugin()])) as client:
        (warning,) = client.complete(HI).warnings
    assert "shows none of the messages' text" in warning


class Shouting(rf.PromptFormat):
    name = "shouting"

    def render(self, conversation: rf.Conversation, variables: Mapping[str, object] | None = None) -> str:
        return "".join(message.text.upper() for message in conversation.messages)


@pytest.mark.parametrize("content", ["hi", "", " \n", "<|im_end|>", [{"type": "text", "text": "hi"}]])
def test_texts_that_are_changed_empty_or_escaped_are_no_silence(content: object) -> None:
    messages = [{"role": "user", "content": content}]
    silent = "shows none of the messages' text"
    for format_ in [Shouting(), rf.TemplateFormat.from_text("hf", "{{ messages[0].content }}")]:
        if isinstance(content, str) or format_.name == "hf":
            assert not any(silent in text for text in render_guarded(format_, conversation(messages)).warnings)


def test_a_conversation_of_a_prefill_alone_is_no_silence() -> None:
    assert rf.render([{"role": "assistant", "content": "Well"}]).warnings == ()


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([], "empty"),
        ([{"role": "robot", "content": "x"}], r"messages\[0\].*robot"),
        ([*HI, {"role": "user", "content": "a\0b"}], r"messages\[1\].*NUL"),
        ([*HI, {"role": "user", "content": "\ud800"}], r"messages\[1\].*surrogate"),
        ([*HI, {"role": "tool", "content": "x"}], r"messages\[1\].*tool"),
    ],
)
def test_a_message_that_cannot_be_rendered_is_an_error_that_names_it(
    messages: list[dict[str, object]], complaint: str
) -> None:
    with pytest.raises(rf.MessageError, match=complaint):
        rf.render(messages)


@pytest.mark.parametrize("outcome", [KeyError("x"), RecursionError("deep"), None, 42])
def test_whatever_a_third_partys_format_does_wrong_is_an_error_of_ours_that_names_it(outcome: object) -> None:
    with pytest.raises(rf.FormatError, match="'theirs'"):
        render_guarded(Theirs(outcome), conversation(HI))


def test_what_an_installed_plugins_format_does_wrong_is_told_with_plugin_and_version() -> None:
    ours = type("Ours", (Theirs,), {"__module__": "roleforge_llm_builtin.formats"})
    with pytest.raises(
        rf.FormatError, match=r"'theirs' of the plugin builtin \(roleforge-llm [^ ]+\) gave int instead of text"
    ):
        render_guarded(ours(42), conversation(HI))


def test_an_error_of_ours_passes_unchanged() -> None:
    error = rf.MessageError("no", 3)
    with pytest.raises(rf.MessageError) as caught:
        render_guarded(Theirs(error), conversation(HI))
    assert caught.value is error
