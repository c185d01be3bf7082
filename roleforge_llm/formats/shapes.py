"""Any shape of conversation, made into the one shape that native templates lay out.

What comes out: an opening system text or none, then turns of which no two neighbours have one role, and
system turns among them only where the format has them. Nothing is lost on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from roleforge_llm.errors import MessageError
from roleforge_llm.formats.base import SystemTurns
from roleforge_llm.messages import Message

if TYPE_CHECKING:
    from roleforge_llm.sandbox import Plain

__all__ = ["Shape", "shape"]

_ROLES = ("system", "user", "assistant")
_MORE_THAN_TEXT = ("tool_calls", "tool_call_id", "function_call", "refusal", "audio")


class _Turn(NamedTuple):
    role: str
    text: str
    name: str | None = None

    def joined(self, other: _Turn) -> _Turn:
        name = self.name if self.name == other.name else None
        return _Turn(self.role, f"{self.text}\n{other.text}", name)

    def plain(self) -> Plain:
        return {"role": self.role, "content": self.text, "name": self.name}


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
    turns = _joined(_turn(index, message) for index, message in enumerate(messages))
    opening = [turns.pop(0)] if turns and turns[0].role == "system" and system_turns != "none" else []
    turns = [turn for turn in turns if turn.role != "system" or turn.text]
    if system_turns != "any":
        turns = _without_system(turns)
    turns = _joined(turns)
    everything = [*opening, *turns]
    closing = turns.pop().text if turns and turns[-1].role == "user" else None
    return Shape(
        system_prompt=opening[0].text if opening else "",
        history=[turn.plain() for turn in turns],
        user_message=closing,
        messages=[turn.plain() for turn in everything],
    )


def _turn(index: int, message: Message) -> _Turn:
    if message.role not in _ROLES:
        raise MessageError(
            f"this prompt format has no turn for the role {message.role!r}; "
            "use a chat endpoint or the model's own template",
            index,
        )
    extra = next((key for key in _MORE_THAN_TEXT if message.extra.get(key)), None)
    if extra or not isinstance(message.content, str):
        what = extra or ("null content" if message.content is None else "content parts")
        raise MessageError(
            f"this prompt format takes text only, not {what}; use a chat endpoint or the model's own template", index
        )
    return _Turn(message.role, message.content, message.name)


def _joined(turns: Iterable[_Turn]) -> list[_Turn]:
    joined: list[_Turn] = []
    for turn in turns:
        if joined and joined[-1].role == turn.role:
            joined[-1] = joined[-1].joined(turn)
        else:
            joined.append(turn)
    return joined


def _without_system(turns: Sequence[_Turn]) -> list[_Turn]:
    """*turns* with the system texts moved into user texts."""
    placed: list[_Turn] = []
    waiting: list[str] = []
    for turn in turns:
        if turn.role == "system":
            waiting.append(turn.text)
        elif turn.role == "user" and waiting:
            placed.append(turn._replace(text="\n".join([*waiting, turn.text])))
            waiting = []
        else:
            placed.append(turn)
    return _with_closing(placed, "\n".join(waiting)) if waiting else placed


def _with_closing(turns: list[_Turn], text: str) -> list[_Turn]:
    last = max((index for index, turn in enumerate(turns) if turn.role == "user"), default=None)
    if last is None:
        return [*turns, _Turn("user", text)]
    turns[last] = turns[last]._replace(text=f"{turns[last].text}\n{text}")
    return turns
