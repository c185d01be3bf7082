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

__all__ = ["Shape", "Turn", "laid_out", "shape", "turns_of"]

_ROLES = ("system", "user", "assistant")
_SPEAKERS = ("user", "assistant")
_MORE_THAN_TEXT = ("tool_calls", "tool_call_id", "function_call", "refusal", "audio")


class Turn(TypedDict):
    """One turn, as a template sees it."""

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
    if (alone := turns_of(messages, 0, system_turns)) is not None:  # nearly every conversation
        return laid_out(alone, is_opened=bool(alone) and alone[0]["role"] == "system")
    turns = _joined(map(_turn, itertools.count(), messages))
    opening = [turns.pop(0)] if turns and turns[0]["role"] == "system" and system_turns != "none" else []
    if any(turn["role"] == "system" for turn in turns):
        turns = [turn for turn in turns if turn["role"] != "system" or turn["content"]]
        turns = _joined(turns if system_turns == "any" else _without_system(turns))
    return laid_out([*opening, *turns], is_opened=bool(opening))


def laid_out(turns: Sequence[Turn], *, is_opened: bool) -> Shape:
    """*turns* as templates are given them; *is_opened* says that the first is the opening system text."""
    closing = turns[-1]["content"] if turns and turns[-1]["role"] == "user" else None
    # Templates only read, so that both lists can hold the same turns.
    plain = cast("list[Plain]", turns)
    return Shape(
        system_prompt=turns[0]["content"] if is_opened else "",
        history=plain[is_opened : len(plain) - (closing is not None)],
        user_message=closing,
        messages=plain,
    )


def turns_of(messages: Sequence[Message], start: int, system_turns: SystemTurns) -> list[Turn] | None:
    """*messages* from *start* on, each as the turn that it is whatever follows; None where not all of them are one."""
    turns: list[Turn] = []
    role = messages[start - 1].role if start else None
    for index, message in enumerate(messages[start:], start):
        content = message.content
        if type(content) is not str or message.role == role or message.extra or message.name is not None:
            return None
        role = message.role
        if role not in _SPEAKERS and not _has_turn(role, content, index, system_turns):
            return None
        turns.append({"role": role, "content": content, "name": None})
    return turns


def _has_turn(role: str, content: str, index: int, system_turns: SystemTurns) -> bool:
    """Whether a message that is neither the user's nor the assistant's has a turn of its own at *index*."""
    if role != "system":
        return False
    return system_turns != "none" if index == 0 else system_turns == "any" and bool(content)


def _turn(index: int, message: Message) -> Turn:
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


def _joined(turns: Iterable[Turn]) -> list[Turn]:
    joined: list[Turn] = []
    role = None
    for turn in turns:
        if turn["role"] == role:
            joined[-1] = _both(joined[-1], turn)
        else:
            joined.append(turn)
            role = turn["role"]
    return joined


def _both(turn: Turn, other: Turn) -> Turn:
    name = turn["name"] if turn["name"] == other["name"] else None
    return {"role": turn["role"], "content": f"{turn['content']}\n{other['content']}", "name": name}


def _without_system(turns: Sequence[Turn]) -> list[Turn]:
    """*turns* with the system texts moved into user texts."""
    placed: list[Turn] = []
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


def _with_closing(turns: list[Turn], text: str) -> list[Turn]:
    last = max((index for index, turn in enumerate(turns) if turn["role"] == "user"), default=None)
    if last is None:
        return [*turns, {"role": "user", "content": text, "name": None}]
    turns[last] = {**turns[last], "content": f"{turns[last]['content']}\n{text}"}
    return turns
