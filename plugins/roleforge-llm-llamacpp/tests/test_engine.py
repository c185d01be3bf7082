"""What the real engine does with each parameter. The server is one that this plugin has not started."""

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pytest
from roleforge_llm_llamacpp.addresses import url_of
from roleforge_llm_llamacpp.backend import LlamaCppBackend
from roleforge_llm_llamacpp.parameters import PARAMETERS

from roleforge_llm import Chunk, Completion, ContextTooLong, InvalidRequest, Message, Profile, Request, Sampler

Ask: TypeAlias = Callable[..., Completion]

PROMPT = "<|im_start|>user\nping<|im_end|>\n<|im_start|>assistant\n"
HELLO = "Hello from chatml. Turn "
"""What the model says for certain: the first 24 tokens."""

WILD = {"temperature": 5, "top_k": 0, "top_p": 1, "min_p": 0, "seed": 3}
"""Settings with which it says anything at all."""

GREEDY = {"temperature": 0}


@pytest.fixture
def backend() -> Iterator[LlamaCppBackend]:
    backend = LlamaCppBackend()
    yield backend
    backend.close()


def request(profile: Profile, extra: Mapping[str, object], max_tokens: int | None = 24, **fields: Any) -> Request:
    sampler = Sampler(max_tokens=max_tokens, extra=extra)
    fields = {"endpoint": "completions", "prompt": PROMPT, "sampler": sampler, **fields}
    return Request(profile, messages=(Message("user", "ping"),), **fields)


@pytest.fixture
def ask(backend: LlamaCppBackend, remote: Callable[..., Profile]) -> Ask:
    """Sends a request with such an ``extra``."""

    def ask(extra: Mapping[str, object] | None = None, **fields: Any) -> Completion:
        return backend.complete(request(remote(), extra or {}, **fields))

    return ask


def settings(completion: Completion) -> Mapping[str, Any]:
    """What the engine says that it used."""
    assert completion.raw is not None
    found = completion.raw["generation_settings"]
    assert isinstance(found, Mapping)
    return found


ECHOED: dict[str, object] = {
    "temperature": 0.75, "dynatemp_range": 0.25, "dynatemp_exponent": 1.5, "top_k": 17, "top_p": 0.5, "min_p": 0.25,
    "top_n_sigma": 1.5, "typical_p": 0.625, "xtc_probability": 0.5, "xtc_threshold": 0.25, "repeat_penalty": 1.25,
    "repeat_last_n": 32, "frequency_penalty": 0.5, "presence_penalty": 0.25, "dry_multiplier": 0.75, "dry_base": 2.0,
    "dry_allowed_length": 3, "dry_penalty_last_n": 40, "dry_sequence_breakers": ["x", "\n"], "mirostat": 2,
    "mirostat_tau": 4.0, "mirostat_eta": 0.25, "adaptive_target": 0.5, "adaptive_decay": 0.75,
    "samplers": ["top_k", "penalties", "temperature"], "seed": 42, "min_keep": 2, "ignore_eos": True,
    "n_keep": 3, "n_discard": 4, "n_probs": 2, "post_sampling_probs": True, "timings_per_token": True,
    "backend_sampling": True, "grammar": 'root ::= "yes"|"no"', "lora": [{"id": 0, "scale": 0.5}],
}  # fmt: skip
"""Parameters that the engine repeats in ``generation_settings``, with values that are not its defaults."""

SHOWN = {"logit_bias", "json_schema", "n_indent", "t_max_predict_ms", "id_slot", "cache_prompt", "return_tokens",
         "return_progress"}  # fmt: skip
"""Parameters that it does not repeat, or not so; tests below show what they do."""

UNSEEN = {"n_cache_reuse", "sse_ping_interval"}
"""Parameters of which neither the engine nor the tiny model shows anything; the README says so."""


def test_every_parameter_is_either_repeated_shown_or_known_to_be_unseen() -> None:
    assert ECHOED.keys() | SHOWN | UNSEEN == PARAMETERS.keys()


@pytest.mark.parametrize("name", ECHOED)
def test_a_parameter_reaches_the_engine(name: str, ask: Ask) -> None:
    assert settings(ask({name: ECHOED[name]}))[name] == ECHOED[name]


def test_the_settings_of_a_sampler_reach_it_too(ask: Ask) -> None:
    sampler = Sampler(temperature=0.5, max_tokens=3, dry_sequence_breakers=("a",), logit_bias={"75": -1.5, "e": 2})
    found = settings(ask(sampler=sampler, stop=("END",)))
    assert (found["temperature"], found["n_predict"], found["stop"]) == (0.5, 3, ["END"])
    assert found["dry_sequence_breakers"] == ["a"]
    assert found["logit_bias"] == [{"token": 75, "bias": -1.5}, {"token": 104, "bias": 2.0}]


def test_without_any_truncation_a_hot_model_says_anything(ask: Ask) -> None:
    wild = ask(WILD).text
    assert not wild.startswith("Hello")
    assert ask(WILD).text == wild  # the seed decides
    assert ask({**WILD, "seed": 4}).text != wild


@pytest.mark.parametrize(
    "tamed",
    [
        {"top_k": 1}, {"top_p": 0.01}, {"min_p": 0.9}, {"typical_p": 0.01}, {"top_n_sigma": 0.01},
        {"temperature": 0.01}, {"dynatemp_range": 5}, {"mirostat": 1, "mirostat_tau": 0.01},
        {"mirostat": 2, "mirostat_tau": 0.01}, {"adaptive_target": 0.9, "samplers": ["adaptive_p"]},
    ],
    ids=str,
)  # fmt: skip
def test_a_sampler_tames_it(tamed: dict[str, object], ask: Ask) -> None:
    assert ask({**WILD, **tamed}).text == HELLO


@pytest.mark.parametrize(
    "drives",
    [
        {"xtc_probability": 1, "xtc_threshold": 0, "top_k": 0, "min_p": 0, "top_p": 1, "temperature": 0.1},
        {"repeat_penalty": 10}, {"frequency_penalty": 50}, {"presence_penalty": 50}, {"logit_bias": [[75, False]]},
        {"logit_bias": {"H": False}}, {"adaptive_target": 0.01, "samplers": ["adaptive_p"], "temperature": 1},
    ],
    ids=str,
)  # fmt: skip
def test_a_sampler_drives_it_away_from_what_is_likeliest(drives: dict[str, object], ask: Ask) -> None:
    assert ask({**GREEDY, "seed": 3, **drives}).text != HELLO


def test_repetition_is_looked_for_in_the_last_tokens_only(ask: Ask) -> None:
    assert ask({**GREEDY, "repeat_penalty": 10, "repeat_last_n": 0}).text == HELLO


def test_dry_keeps_the_model_from_repeating_a_sequence(ask: Ask) -> None:
    dry = {**GREEDY, "dry_multiplier": 5, "dry_allowed_length": 1}
    plain = ask(GREEDY, max_tokens=60).text
    assert ask(dry, max_tokens=60).text != plain
    off = ({"dry_penalty_last_n": 0}, {"dry_allowed_length": 50}, {"dry_sequence_breakers": list("eorms")})
    assert [ask({**dry, **each}, max_tokens=60).text for each in off] == [plain] * 3


def test_only_the_samplers_that_are_listed_are_used(ask: Ask) -> None:
    certain = {**WILD, "top_k": 1}
    assert ask({**certain, "samplers": ["temperature"]}).text != HELLO
    assert ask({**certain, "samplers": ["top_k", "temperature"]}).text == HELLO


def test_a_grammar_decides_what_can_be_said(ask: Ask) -> None:
    said = {ask({**WILD, "seed": seed, "grammar": 'root ::= "yes"|"no"'}).text for seed in range(6)}
    assert said == {"yes", "no"}


SCHEMA = {
    "type": "object",
    "properties": {"a": {"enum": [1, 2]}},
    "required": ["a"],
    "additionalProperties": False,
}
TIGHT = [[blank, False] for blank in (" ", "\n", "\t", "\r")]
"""Forbids white space, with which this model would fill any JSON."""


def test_a_json_schema_makes_valid_json(ask: Ask) -> None:
    reply = ask({**GREEDY, "json_schema": SCHEMA, "logit_bias": TIGHT}, max_tokens=100)
    assert json.loads(reply.text)["a"] in {1, 2}
    assert reply.warnings == ()


@pytest.mark.parametrize(
    "asked",
    [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}],
    ids=["json_object", "json_schema"],
)
def test_so_does_a_response_format(asked: Any, ask: Ask) -> None:
    assert isinstance(json.loads(ask({**GREEDY, "logit_bias": TIGHT}, response_format=asked).text), dict)


def test_a_schema_that_the_engine_cannot_use_is_told_since_the_engine_says_nothing(ask: Ask) -> None:
    reply = ask({**GREEDY, "json_schema": {"type": "nonsense"}}, stop=("\n",), max_tokens=200)
    assert reply.finish_reason == "stop"
    (warning,) = reply.warnings
    assert "not the JSON that was asked for" in warning


def test_a_grammar_that_is_wrong_is_an_error_of_the_request(ask: Ask) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask({"grammar": "root ::= ("})
    assert caught.value.status == 400


def test_a_prompt_beyond_the_window_is_an_error_of_its_own(ask: Ask) -> None:
    with pytest.raises(ContextTooLong) as caught:
        ask(prompt="x" * 5000)
    assert caught.value.status == 400


# ---------------------------------------------------------------------- how a reply ends


def test_the_stop_sequence_that_ended_the_text_is_named(ask: Ask) -> None:
    reply = ask(GREEDY, stop=("<|im_end|>", "chat"))
    assert (reply.text, reply.finish_reason, reply.stop_sequence) == ("Hello from ", "stop", "chat")
    assert reply.raw is not None
    assert reply.raw["stop_type"] == "word"


def test_the_end_of_the_models_own_turn_is_no_stop_sequence(ask: Ask) -> None:
    reply = ask({**GREEDY, "grammar": 'root ::= "no"'})
    assert (reply.text, reply.finish_reason, reply.stop_sequence) == ("no", "stop", None)


def test_the_token_limit_ends_a_reply_with_length(ask: Ask) -> None:
    reply = ask(GREEDY, max_tokens=5)
    assert (reply.text, reply.finish_reason, reply.stop_sequence) == ("Hello", "length", None)


def test_a_reply_goes_on_where_the_end_is_ignored(ask: Ask) -> None:
    assert ask(GREEDY, max_tokens=300).finish_reason == "stop"
    assert ask({**GREEDY, "ignore_eos": True}, max_tokens=300).finish_reason == "length"


def test_a_full_context_is_told(ask: Ask) -> None:
    reply = ask({**GREEDY, "ignore_eos": True}, max_tokens=None)
    assert reply.finish_reason == "length"
    assert reply.warnings == ("the context was full before the reply had ended (llama.cpp says truncated)",)


@pytest.mark.parametrize("limit", [{"t_max_predict_ms": 1}, {"n_indent": 8}], ids=str)
def test_a_limit_of_lines_ends_a_reply_after_a_line(limit: dict[str, object], ask: Ask) -> None:
    assert ask({**GREEDY, "ignore_eos": True, **limit}, max_tokens=900).text.count("\n") == 1


def test_the_tokens_and_their_probabilities_are_in_the_raw_reply(ask: Ask) -> None:
    raw = ask({**GREEDY, "n_probs": 2, "return_tokens": True}, max_tokens=2).raw
    assert raw is not None
    assert raw["tokens"] == [75, 104]
    assert [len(each["top_logprobs"]) for each in raw["completion_probabilities"]] == [2, 2]  # type: ignore[attr-defined]  # JSON


# ---------------------------------------------------------------------- slots and the cache


@pytest.mark.parametrize("slot", [0, 1])
def test_a_slot_can_be_chosen_and_keeps_its_prompt(slot: int, ask: Ask) -> None:
    prompt = PROMPT * 3
    _, again, anew = (
        ask({"id_slot": slot, "cache_prompt": cached}, prompt=prompt, max_tokens=1) for cached in (False, True, False)
    )
    assert again.raw is not None
    assert again.raw["id_slot"] == slot
    assert again.usage is not None
    assert anew.usage is not None
    assert (again.usage.prompt_tokens, anew.usage.prompt_tokens) == (1 + len(prompt), 1 + len(prompt))
    assert (again.usage.cached_tokens, anew.usage.cached_tokens) == (len(prompt), 0)
    assert again.usage.total_tokens == 2 + len(prompt)


def test_a_slot_that_is_not_there_is_told_since_the_engine_takes_another(ask: Ask) -> None:
    (warning,) = ask({**GREEDY, "id_slot": 7}).warnings
    assert warning.startswith("slot 7 was asked for and slot ")


# ---------------------------------------------------------------------- streams and asyncio


def streamed(chunks: list[Chunk]) -> tuple[object, ...]:
    last = chunks[-1]
    text = "".join(chunk.text for chunk in chunks)
    return text, last.finish_reason, last.stop_sequence, last.usage and last.usage.completion_tokens


@pytest.mark.parametrize("stop", [(), ("chat",)])
def test_a_stream_and_asyncio_give_what_the_whole_reply_is(
    stop: tuple[str, ...], backend: LlamaCppBackend, remote: Callable[..., Profile]
) -> None:
    whole, stream = (request(remote(), GREEDY, 60, stop=stop, stream=s) for s in (False, True))

    async def both() -> tuple[Completion, list[Chunk]]:
        try:
            return await backend.acomplete(whole), [chunk async for chunk in backend.astream(stream)]
        finally:
            await backend.aclose()

    reply, (asked, chunks) = backend.complete(whole), asyncio.run(both())
    ended = (reply.text, reply.finish_reason, reply.stop_sequence, reply.usage and reply.usage.completion_tokens)
    assert ended == (
        asked.text,
        asked.finish_reason,
        asked.stop_sequence,
        asked.usage and asked.usage.completion_tokens,
    )
    assert streamed(list(backend.stream(stream))) == streamed(chunks) == ended
    assert chunks[-1].raw is not None
    assert chunks[-1].raw["timings"]


def test_a_piece_says_how_many_tokens_it_took(backend: LlamaCppBackend, remote: Callable[..., Profile]) -> None:
    asked = request(remote(), {"grammar": 'root ::= "é日😀"'}, stream=True)
    found = [(chunk.text, chunk.tokens) for chunk in backend.stream(asked) if chunk.text]
    assert found == [("é", 2), ("日", 3), ("😀", 4)]


def test_the_progress_of_a_prompt_is_sent_and_gives_no_text(
    backend: LlamaCppBackend, remote: Callable[..., Profile]
) -> None:
    asked = request(remote(), {**GREEDY, "return_progress": True, "cache_prompt": False}, stream=True)
    chunks = list(backend.stream(asked))
    assert "".join(chunk.text for chunk in chunks) == HELLO
    assert all(chunk.text for chunk in chunks[:-1])
    assert b'"prompt_progress":{"total":55' in wire(asked, backend)


def wire(asked: Request, backend: LlamaCppBackend) -> bytes:
    """What the engine really sends."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {asked.profile.key()}"}
    body = json.dumps(backend.wire_body(asked)).encode()
    call = urllib.request.Request(url_of(asked.profile, "/completion"), body, headers)
    with urllib.request.urlopen(call, timeout=30) as reply:
        return bytes(reply.read())
