"""Any shape of conversation, made into the one shape that native templates lay out.

What comes out: an opening system text or none, then turns of which no two neighbours have one role, and
system turns among them only where the format has them. Nothing is lost on the way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict, cast

from roleforge_llm.errors import MessageError
from roleforge_llm.formats.base import SystemTurns
from roleforge_llm.messages import Message

if TYPE_CHECKING:
    from roleforge_llm.sandbox import Plain

__all__ = ["Shape", "shape"]

_ROLES = ("system", "user", "assistant")
_MORE_THAN_TEXT = ("tool_calls", "tool_call_id", "function_call", "refusal", "audio")


class _Turn(TypedDict):
    role: str
    content: str
    name: str | None


class Shape(TypedDict):
    """A conversation as a native template is given it, by the names that templates use."""

    system_prompt: str
    history: list[Plain]
    user_message: str | None
    messages: list[Plain]


def shape(messages: Sequence[Message], system_turns: SystemTurns) -> Shape:
    """Lay *messages* out for a format with *system_turns*.

    Consecutive messages of one role are joined by a newline. A system message that has no turn of its own
    opens the next user text, or closes the last one if none follows; without any user text it becomes one.
    An empty system message is none; an opening one still stands in ``messages``, where a template that has a
    default system text can see that none is wanted. Raises :class:`MessageError` for a message that text
    cannot express.
    """
    turns = _joined(map(_turn, itertools.count(), messages))
    opening = [turns.pop(0)] if turns and turns[0]["role"] == "system" and system_turns != "none" else []
    if any(turn["role"] == "system" for turn in turns):
        turns = [turn for turn in turns if turn["role"] != "system" or turn["content"]]
        turns = _joined(turns if system_turns == "any" else _without_system(turns))
    closing = turns[-1]["content"] if turns and turns[-1]["role"] == "user" else None
    # Templates only read, so that both lists can hold the same turns.
    plain = cast("list[Plain]", turns)
    return Shape(
        system_prompt=opening[0]["content"] if opening else "",
        history=plain if closing is None else plain[:-1],
        user_message=closing,
        messages=[*cast("list[Plain]", opening), *plain],
    )


def _turn(index: int, message: Message) -> _Turn:
    if message.role not in _ROLES:
        raise MessageError(
            f"this prompt format has no turn for the role {message.role!r}; "
            "use a chat endpoint or the model's own template",
            index,
        )
    extra = next((key for key in _MORE_THAN_TEXT if message.extra.get(key)), None) if message.extra else None
    if extra or not isinstance(message.content, str):
        what = extra or ("null content" if message.content is None else "content parts")
        raise MessageError(
            f"this prompt format takes text only, not {what}; use a chat endpoint or the model's own template", index
        )
    return {"role": message.role, "content": message.content, "name": message.name}


def _joined(turns: Iterable[_Turn]) -> list[_Turn]:
    joined: list[_Turn] = []
    role = None
    for turn in turns:
        if turn["role"] == role:
            joined[-1] = _both(joined[-1], turn)
        else:
            joined.append(turn)
            role = turn["role"]
    return joined


def _both(turn: _Turn, other: _Turn) -> _Turn:
    name = turn["name"] if turn["name"] == other["name"] else None
    return {"role": turn["role"], "content": f"{turn['content']}\n{other['content']}", "name": name}


def _without_system(turns: Sequence[_Turn]) -> list[_Turn]:
    """*turns* with the system texts moved into user texts."""
    placed: list[_Turn] = []
    waiting: list[str] = []
    for turn in turns:
        if turn["role"] == "system":
            waiting.append(turn["content"])
        elif turn["role"] == "user" and waiting:
            placed.append({**turn, "content": "\n".join([*waiting, turn["content"]])})
            waiting = []
        else:
            placed.append(turn)
    return _with_closing(placed, "\n".join(waiting)) if waiting else placed


def _with_closing(turns: list[_Turn], text: str) -> list[_Turn]:
    last = max((index for index, turn in enumerate(turns) if turn["role"] == "user"), default=None)
    if last is None:
        return [*turns, {"role": "user", "content": text, "name": None}]
    turns[last] = {**turns[last], "content": f"{turns[last]['content']}\n{text}"}
    return turns
