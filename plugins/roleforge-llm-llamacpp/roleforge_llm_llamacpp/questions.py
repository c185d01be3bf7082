"""What can be asked of a llama.cpp server beside completions. Pure: how to ask, and how the answer is read.

:meth:`Api.ask` and :meth:`Api.aask` put a question to the server of a profile. Source: the README of llama.cpp's
server, "GET /health", "GET /props", "GET /slots", "POST /tokenize", "POST /detokenize", "POST /apply-template".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import attrs

from roleforge_llm import BadReply, Message, ServerTemplate
from roleforge_llm.transport import string_of
from roleforge_llm_llamacpp.replies import count_of

__all__ = ["Props", "Question", "Slot", "apply_template", "detokenize", "health", "props", "slots", "tokenize"]

T_co = TypeVar("T_co", covariant=True)


@attrs.frozen
class Question(Generic[T_co]):
    """A GET of *path*, or a POST of *body* to it; *read* makes the answer of the JSON that comes back."""

    path: str
    read: Callable[[object], T_co]
    body: Mapping[str, object] | None = None


@attrs.frozen
class Props:
    """What a server says of itself.

    *context_window* is that of each slot, in tokens, for prompt and reply together.
    """

    model: str = ""
    context_window: int | None = None
    total_slots: int | None = None
    template: ServerTemplate | None = None
    build: str = ""


@attrs.frozen
class Slot:
    """One of the conversations that a server can work on at a time; *task* is the number of its latest request."""

    id: int
    is_processing: bool
    context_window: int | None = None
    task: int | None = None


def health() -> Question[str]:
    """How the server is: "ok". While it loads its model the answer is :class:`ServerError` of kind "loading"."""
    return Question("/health", lambda answer: string_of(_table(answer, "/health"), "status"))


def props() -> Question[Props]:
    """The server's model, window, slots and chat template."""
    return Question("/props", _props)


def slots() -> Question[tuple[Slot, ...]]:
    """The state of every slot. :class:`InvalidRequest` of kind "not-supported" where that is switched off."""
    return Question("/slots", _slots)


def tokenize(text: str) -> Question[tuple[int, ...]]:
    """The tokens of *text* as a prompt: with BOS where the model has one, and control tokens read as such."""
    return Question("/tokenize", _tokens, {"content": text, "add_special": True, "parse_special": True})


def detokenize(tokens: Sequence[int]) -> Question[str]:
    """The text of *tokens*."""
    return Question("/detokenize", _text("/detokenize", "content"), {"tokens": list(tokens)})


def apply_template(
    messages: Sequence[Message], prefill: str = "", tools: Sequence[Mapping[str, object]] | None = None
) -> Question[str]:
    """The prompt that the server makes of a conversation on its chat endpoint."""
    asked: list[Mapping[str, object]] = [message.to_dict() for message in messages]
    if prefill:
        asked.append({"role": "assistant", "content": prefill})
    body: dict[str, object] = {"messages": asked} if tools is None else {"messages": asked, "tools": list(tools)}
    return Question("/apply-template", _text("/apply-template", "prompt"), body)


def _table(answer: object, path: str) -> Mapping[str, object]:
    if not isinstance(answer, Mapping):
        raise BadReply(f"llama.cpp's {path} gave no JSON object; check baseURL", kind="shape")
    return answer


def _text(path: str, field: str) -> Callable[[object], str]:
    def read(answer: object) -> str:
        text = _table(answer, path).get(field)
        if not isinstance(text, str):
            raise BadReply(f"llama.cpp's {path} gave no {field}; check baseURL", kind="shape")
        return text

    return read


def _tokens(answer: object) -> tuple[int, ...]:
    tokens = _table(answer, "/tokenize").get("tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
        raise BadReply("llama.cpp's /tokenize gave no list of tokens; check baseURL", kind="shape")
    return tuple(tokens)


def _props(answer: object) -> Props:
    found = _table(answer, "/props")
    settings = found.get("default_generation_settings")
    return Props(
        model=string_of(found, "model_alias", "model_path"),
        context_window=count_of(settings.get("n_ctx")) if isinstance(settings, Mapping) else None,
        total_slots=count_of(found.get("total_slots")),
        template=_template(found),
        build=string_of(found, "build_info"),
    )


def _template(found: Mapping[str, object]) -> ServerTemplate | None:
    if not (text := string_of(found, "chat_template")):
        return None
    return ServerTemplate(
        text,
        bos_token=string_of(found, "bos_token"),
        eos_token=string_of(found, "eos_token"),
        tool_text=string_of(found, "chat_template_tool_use"),
    )


def _slots(answer: object) -> tuple[Slot, ...]:
    if not isinstance(answer, list) or not all(isinstance(slot, Mapping) for slot in answer):
        raise BadReply("llama.cpp's /slots gave no list of slots; check baseURL", kind="shape")
    return tuple(
        Slot(
            id=count_of(slot.get("id")) or 0,
            is_processing=slot.get("is_processing") is True,
            context_window=count_of(slot.get("n_ctx")),
            task=count_of(slot.get("id_task")),
        )
        for slot in answer
    )
