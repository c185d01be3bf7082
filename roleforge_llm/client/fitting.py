"""Fitting a conversation into the context: which of its oldest turns are left out. No I/O.

What only the backend knows is asked by yielding a question; the sync and the async client each answer it in
their own way and send the answer back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeAlias

import attrs

from roleforge_llm.backends import Backend, Request
from roleforge_llm.errors import ContextTooLong
from roleforge_llm.messages import Message
from roleforge_llm.profiles import Profile

__all__ = ["ContextWindow", "CountTokens", "Fitted", "Question", "fit", "turns"]


@attrs.frozen
class CountTokens:
    """How many tokens does the prompt of this request have?"""

    request: Request

    def ask(self, backend: Backend) -> int | None:
        """Ask, waiting for the answer."""
        return backend.count_tokens(self.request)

    async def aask(self, backend: Backend) -> int | None:
        """Ask, awaiting the answer."""
        return await backend.acount_tokens(self.request)


@attrs.frozen
class ContextWindow:
    """How many tokens can prompt and reply have together on this profile's server?"""

    profile: Profile

    def ask(self, backend: Backend) -> int | None:
        """Ask, waiting for the answer."""
        return backend.context_window(self.profile)

    async def aask(self, backend: Backend) -> int | None:
        """Ask, awaiting the answer."""
        return await backend.acontext_window(self.profile)


Question: TypeAlias = CountTokens | ContextWindow


@attrs.frozen
class Fitted:
    """A request that fits, the indices of the messages that were *omitted*, and the size of the *window*."""

    request: Request
    omitted: tuple[int, ...] = ()
    window: int | None = None


def fit(
    messages: Sequence[Message],
    whole: Request,
    build: Callable[[Sequence[Message]], Request],
    asked: Callable[[], Profile] | None = None,
) -> Generator[Question, int | None, Fitted]:
    """The request of as many of *messages* as fit: *whole*, or what *build* makes of those that are left.

    The deadline of *whole* is that of any other.

    The window is the profile's ``max_context_tokens``, or what the server of the profile that *asked* gives says of it.

    System messages, the prefill, and everything from the last user message on always stay. Older turns go
    first and whole, a user message with all that answers it. Raises :class:`ContextTooLong`, with the numbers,
    if the rest does not fit, or where the profile's ``on_overflow`` is "error".
    """
    window = whole.sampler.max_context_tokens
    if window is None and asked is not None:
        window = yield ContextWindow(asked())
    if window is None:
        return Fitted(whole)
    room = window - _reserved(whole, window)
    size = yield from _size(whole, room)
    if size <= room:
        return Fitted(whole, (), window)
    if whole.profile.on_overflow == "error":
        raise _overflow(size, room, window, "onOverflow is error")

    def rest(messages: Sequence[Message]) -> Request:
        return attrs.evolve(build(messages), deadline=whole.deadline)

    return (yield from _trimmed(messages, rest, size, room, window))


def _trimmed(
    messages: Sequence[Message], build: Callable[[Sequence[Message]], Request], size: int, room: int, window: int
) -> Generator[Question, int | None, Fitted]:
    """The fewest turns left out that make the rest fit, by bisection: fewer turns never take more room."""
    droppable = turns(messages)
    few, many, best = 1, len(droppable), None
    while few <= many:
        middle = (few + many) // 2
        omitted = {index for turn in droppable[:middle] for index in turn}
        request = build([message for index, message in enumerate(messages) if index not in omitted])
        size = yield from _size(request, room)
        if size <= room:
            best, many = Fitted(request, tuple(sorted(omitted)), window), middle - 1
        else:
            few = middle + 1
    if best is not None:
        return best
    raise _overflow(size, room, window, "even without the earlier turns")


def turns(messages: Sequence[Message]) -> list[list[int]]:
    """The turns that may be left out, oldest first, as indices: those before the last user message.

    A turn is a user message and what answers it; what stands before the first user message (a greeting) is
    one, too. System messages belong to no turn.
    """
    last_user = max((index for index, message in enumerate(messages) if message.role == "user"), default=len(messages))
    found: list[list[int]] = []
    for index, message in enumerate(messages[:last_user]):
        if message.role in {"system", "developer"}:
            continue
        if message.role == "user" or not found:
            found.append([])
        found[-1].append(index)
    return found


def _reserved(request: Request, window: int) -> int:
    """Tokens kept free for the reply: its limit, or a quarter of the window, at most 1024, where it has none."""
    return request.sampler.max_tokens or min(1024, window // 4)


def _size(request: Request, room: int) -> Generator[Question, int | None, int]:
    """Tokens of the prompt. Not asked where it fits in any tokenizer, since no token is shorter than a byte."""
    if request.prompt is not None and (length := len(request.prompt.encode())) < room:
        return length
    answer = yield CountTokens(request)
    return answer or 0


def _overflow(size: int, room: int, window: int, why: str) -> ContextTooLong:
    return ContextTooLong(
        f"the prompt has {size} tokens, and {room} of the context's {window} are free for it ({why}); "
        f"shorten the conversation, lower maxTokens or raise maxContextTokens",
        kind="overflow",
    )
