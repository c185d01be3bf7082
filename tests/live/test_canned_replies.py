"""The exact replies of the canary model: right bytes in, right text out, in every way to ask."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config

pytestmark = pytest.mark.live

FORMATS = ["chatml", "alpaca", "vicuna", "llama2"]
TEMPLATES = Path(__file__).parents[2] / "templates"

Cases: TypeAlias = Callable[[str], list[Any]]


def config(server: Any, template: str, **more: Any) -> rf.Config:
    return parse_config({"profiles": {"live": server.profile(template=template, **more)}})


def streamed(client: rf.Client, messages: list[dict[str, str]]) -> rf.Completion:
    with client.stream(messages) as stream:
        pieces = list(stream)
    assert "".join(pieces) == stream.completion.text
    return stream.completion


async def asked(client: rf.AsyncClient, messages: list[dict[str, str]], stream: bool) -> rf.Completion:
    if not stream:
        return await client.complete(messages)
    async with client.stream(messages) as pieces:
        text = "".join([piece async for piece in pieces])
    assert text == pieces.completion.text
    return pieces.completion


def check(completion: rf.Completion, case: Any) -> None:
    """The canned reply; its leading space, if any, belongs to the format."""
    assert completion.text == case.reply.removeprefix(" ")
    assert completion.finish_reason == "stop"
    assert completion.format == case.format
    assert not completion.warnings


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("system", [False, True], ids=["no-system", "system"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_the_reply_is_the_canned_one_whole_and_streamed(
    format_name: str, system: bool, turns: int, canary: Any, known_good: Cases
) -> None:
    chosen = [case for case in known_good(format_name) if case.system == system and case.turns == turns]
    assert chosen
    with rf.Client(config(canary, format_name)) as client:
        for case in chosen:
            assert client.explain(case.messages).prompt == case.prompt
            check(client.complete(case.messages), case)
        for case in chosen[::2]:
            check(streamed(client, case.messages), case)


def test_a_streamed_reply_comes_in_many_pieces(canary: Any, known_good: Cases) -> None:
    with rf.Client(config(canary, "chatml")) as client, client.stream(known_good("chatml")[0].messages) as stream:
        assert len(list(stream)) > 10


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_the_async_client_gives_the_same_replies_four_at_a_time(
    format_name: str, stream: bool, canary: Any, known_good: Cases
) -> None:
    async def ask_all() -> None:
        async with rf.AsyncClient(config(canary, format_name)) as client:
            limit = asyncio.Semaphore(4)

            async def ask(case: Any) -> None:
                async with limit:
                    check(await asked(client, case.messages, stream), case)

            await asyncio.gather(*(ask(case) for case in known_good(format_name)[::3]))

    asyncio.run(ask_all())


@pytest.mark.parametrize("format_name", FORMATS)
def test_without_its_stop_sequences_a_reply_runs_on(
    format_name: str, canary: Any, known_good: Cases, tmp_path: Path
) -> None:
    """So it is the stop sequences that end the replies above: the format is the user's own copy without them."""
    source = (TEMPLATES / f"{format_name}.jinja").read_text(encoding="utf-8")
    unstopped, changed = re.subn(r"(set stop_sequence = )\[.*\](?= %})", r"\1[]", source)
    assert changed == 1
    (tmp_path / "unstopped.jinja").write_text(unstopped, encoding="utf-8")
    with rf.Client(config(canary, str(tmp_path / "unstopped.jinja"))) as client:
        for case in known_good(format_name)[::4]:
            ends_by_itself = canary.settings["model"] == "canary-special" and format_name == "chatml"
            expected = case.reply if ends_by_itself else case.run_on
            assert client.complete(case.messages).text == expected.removeprefix(" ")
            assert streamed(client, case.messages).text == expected.removeprefix(" ")


def test_a_stop_sequence_of_the_sampler_cuts_too(canary: Any, known_good: Cases) -> None:
    case = known_good("chatml")[0]
    with rf.Client(config(canary, "chatml")) as client:
        assert client.complete(case.messages, stop=[" Turn"]).text == "Hello from chatml."


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        ("{% set stop_sequence = [] %}\nUser: {{ user_message }}\nAssistant:", " (No chat template found.)"),
        (
            "{% set stop_sequence = [] %}\n<s><|im_start|>user\n{{ user_message }}<|im_end|>\n<|im_start|>assistant\n{{ assistant_message }}",
            "Double BOS!",
        ),
    ],
    ids=["unknown-layout", "double-bos"],
)
def test_the_model_itself_tells_a_wrong_prompt(template: str, answer: str, canary: Any, tmp_path: Path) -> None:
    (tmp_path / "wrong.jinja").write_text(template, encoding="utf-8")
    with rf.Client(config(canary, str(tmp_path / "wrong.jinja"))) as client:
        assert client.complete([{"role": "user", "content": "ping"}]).text == answer


class WithBos:
    """A plugin whose format writes the BOS token itself, and says so."""

    @rf.hookimpl
    def roleforge_formats(self) -> list[rf.PromptFormat]:
        source = (TEMPLATES / "chatml.jinja").read_text(encoding="utf-8")
        text = '{% set bos = "template" %}\n' + source.replace("{% if", "{{ bos_token }}{% if", 1)
        return [attrs.evolve(rf.TemplateFormat.from_text("with-bos", text), bos_token="<s>")]


def test_a_bos_that_the_format_writes_is_not_sent_beside_the_servers(canary: Any, known_good: Cases) -> None:
    case = known_good("chatml")[0]
    host = rf.PluginHost(plugins=[WithBos()])
    assert rf.render(case.messages, "with-bos", host=host).text == "<s>" + case.prompt
    with rf.Client(config(canary, "with-bos"), host) as client:
        assert client.complete(case.messages).text == case.reply


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_prefill_is_continued_exactly_wherever_it_ends(format_name: str, canary: Any, known_good: Cases) -> None:
    case = known_good(format_name)[-1]
    whole = case.reply.removeprefix(" ")
    with rf.Client(config(canary, format_name)) as client:
        for cut in range(1, len(whole) + 1):
            messages = [*case.messages, {"role": "assistant", "content": whole[:cut]}]
            ask = client.complete if cut % 5 else partial(streamed, client)
            completion = ask(messages)
            assert (completion.text, completion.finish_reason) == (whole[cut:], "stop")


def test_a_prompt_beyond_the_models_window_is_an_error_of_its_own(canary: Any) -> None:
    with rf.Client(config(canary, "chatml")) as client, pytest.raises(rf.AllProfilesFailed) as caught:
        client.complete([{"role": "user", "content": "word " * 1000}])
    assert [type(error) for error in caught.value.errors] == [rf.ContextTooLong]
