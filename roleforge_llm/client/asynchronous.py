"""The client that waits by awaiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from roleforge_llm.backends import Backend, Chunk, Completion, Request
from roleforge_llm.client.call import Call
from roleforge_llm.client.core import AnyClient, Core, closing
from roleforge_llm.client.requests import Options
from roleforge_llm.messages import MessageLike

if TYPE_CHECKING:
    from roleforge_llm.batch import Batch, BatchRow, Concurrency, Rows

__all__ = ["AsyncClient", "AsyncCompletionStream"]

T = TypeVar("T")


class AsyncClient(AnyClient):
    """:class:`~roleforge_llm.Client` for asyncio: the same arguments, results and errors.

    One client can serve several event loops, one after another or at the same time.
    """

    async def complete(
        self,
        messages: Iterable[MessageLike],
        profile: str | None = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # bounds retries and fallbacks too, which a cancel scope cannot name
        tools: Sequence[Mapping[str, object]] | None = None,
        response_format: Mapping[str, object] | None = None,
        **sampler: object,
    ) -> Completion:
        """See :meth:`Client.complete <roleforge_llm.Client.complete>`."""
        options = Options(False, timeout, tools, response_format, sampler)
        call = self._core.call(messages, profile, options)
        try:
            return await _settled(call, lambda: self._attempt(call))
        finally:
            call.abandon()

    async def _attempt(self, call: Call) -> Completion:
        backend, request = await _started(self._core, call)
        return call.accept(await backend.acomplete(request))

    def stream(
        self,
        messages: Iterable[MessageLike],
        profile: str | None = None,
        *,
        timeout: float | None = None,
        tools: Sequence[Mapping[str, object]] | None = None,
        response_format: Mapping[str, object] | None = None,
        **sampler: object,
    ) -> AsyncCompletionStream:
        """See :meth:`Client.stream <roleforge_llm.Client.stream>`; an async context manager and iterator."""
        options = Options(True, timeout, tools, response_format, sampler)
        return AsyncCompletionStream(self._core, self._core.call(messages, profile, options))

    def batch(
        self,
        rows: Rows,
        profile: str | None = None,
        *,
        concurrency: Concurrency = "auto",
        max_concurrency: int = 256,
        limits: Mapping[str, int] | None = None,
        in_order: bool = False,
    ) -> Batch:
        """A result for each of *rows*, as they come: an async iterator of :class:`~roleforge_llm.BatchResult`.

        *rows* is an iterable or async iterable of objects as docs/SCALING.md describes them, or of
        :class:`~roleforge_llm.BatchRow`. *profile* is for rows that name none. *concurrency* is how many are asked at
        once, "auto" to find that out from the servers' answers, up to *max_concurrency*; *limits* bound the attempts at
        once on single profiles, fallbacks included. *in_order* gives the results in the order of the rows.

        Raises :class:`~roleforge_llm.ConfigError` for a profile, and :class:`~roleforge_llm.BatchError` for a limit
        that cannot be; what is wrong with a row is in its result.
        """
        from roleforge_llm.batch import Batch

        return Batch(
            rows,
            self._answered_row,
            self.config,
            profile,
            concurrency=concurrency,
            max_concurrency=max_concurrency,
            limits=limits,
            in_order=in_order,
        )

    async def _answered_row(
        self, row: BatchRow, profile: str, turns: Mapping[str, AbstractAsyncContextManager[object]]
    ) -> Completion:
        options = Options(False, row.timeout, row.tools, row.response_format, row.sampler)
        call = self._core.call(row.messages, profile, options)
        try:
            return await _settled(call, lambda: self._attempt_in_turn(call, turns))
        finally:
            call.abandon()

    async def _attempt_in_turn(
        self, call: Call, turns: Mapping[str, AbstractAsyncContextManager[object]]
    ) -> Completion:
        """An attempt, begun when the profile that it goes to has a turn free."""
        if (turn := turns.get(call.target.profile.name)) is None:
            return await self._attempt(call)
        async with turn:
            return await self._attempt(call)

    async def close(self) -> None:
        """Close all connections, and servers that backends started; a later call opens them anew."""
        for backend in self._core.made_backends():
            with closing(backend):
                await backend.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class AsyncCompletionStream:
    """A reply as it comes: see :class:`~roleforge_llm.CompletionStream`."""

    def __init__(self, core: Core, call: Call) -> None:
        self._core = core
        self._call = call
        self._chunks: AsyncIterator[Chunk] | None = None

    @property
    def completion(self) -> Completion:
        """The completion; while the stream runs, what has been received so far."""
        return self._call.completion or self._call.completed()

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        try:
            while self._call.completion is None:
                if piece := await _settled(self._call, self._read):
                    return piece
        except BaseException:
            # A cancelled reply ends here, as a generator would: going on would send a request of its own.
            self._call.abandon()
            raise
        raise StopAsyncIteration

    async def _read(self) -> str:
        """The next piece, from a new attempt if none is running; empty where nothing can be handed out yet."""
        if self._chunks is None:
            backend, request = await _started(self._core, self._call)
            self._chunks = aiter(backend.astream(request))
        try:
            chunk = await anext(self._chunks, None)
        except BaseException:
            self._chunks = None
            raise
        text = "" if chunk is None else self._call.feed(chunk)
        if chunk is None or self._call.stopped:
            await self._drop()
            text += self._call.end()
        return text

    async def _drop(self) -> None:
        """Stop reading: closes the connection if the reply has not ended by itself."""
        chunks, self._chunks = self._chunks, None
        if chunks is not None and hasattr(chunks, "aclose"):
            await chunks.aclose()

    def __del__(self) -> None:
        # One that nobody closed must not count as in flight for ever.
        self._call.abandon()

    async def close(self) -> None:
        """Leave the stream; closes its connection."""
        await self._drop()
        self._call.abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _started(core: Core, call: Call) -> tuple[Backend, Request]:
    """Begin an attempt of *call*: its backend answers what the call asks, and gets the request."""
    backend = core.backend(call.target.profile.backend)
    steps = call.starting()
    try:
        question = next(steps)
        while True:
            question = steps.send(await question.aask(backend))
    except StopIteration as end:
        return backend, end.value


async def _settled(call: Call, step: Callable[[], Awaitable[T]]) -> T:
    """*step* with what the policies of *call* decide after each failure: wait and repeat, next profile, or raise."""
    while True:
        try:
            return await step()
        except Exception as error:  # noqa: BLE001  # the call decides which of them are failures
            failed = error
        try:
            return await _retried(call, step, failed)
        except Exception as error:  # noqa: BLE001  # as above
            failed = error
        call.settle(failed)


async def _retried(call: Call, step: Callable[[], Awaitable[T]], failed: Exception) -> T:
    """Repeat *step*, which has just *failed*, as long as the policy wants. stamina waits in between."""
    import stamina

    first: Exception | None = failed
    async for attempt in stamina.retry_context(on=call.retry_delay, attempts=None, timeout=None):
        with attempt:
            if first is not None:
                error, first = first, None
                raise error
            return await step()
    raise AssertionError("stamina ends by returning or raising")
