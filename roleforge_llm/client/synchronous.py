"""The client that waits by blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from roleforge_llm.backends import Backend, Chunk, Completion, Request
from roleforge_llm.client.call import Call
from roleforge_llm.client.core import AnyClient, Core, closing
from roleforge_llm.client.requests import Options
from roleforge_llm.messages import MessageLike

__all__ = ["Client", "CompletionStream"]

T = TypeVar("T")


class Client(AnyClient):
    """Gets replies through the profiles of a configuration. Safe to use from many threads.

    *config* is a :class:`Config`, or a mapping in the schema of the configuration file; no file is read. *host*
    is the plugin host to use, by default the one with all installed plugins that *config* allows. *clock*
    (monotonic seconds) and *jitter* (a number in [0, 1)) are for tests.
    """

    def complete(
        self,
        messages: Iterable[MessageLike],
        profile: str | None = None,
        *,
        timeout: float | None = None,
        tools: Sequence[Mapping[str, object]] | None = None,
        response_format: Mapping[str, object] | None = None,
        **sampler: object,
    ) -> Completion:
        """Get the reply to *messages* from *profile* (None is the default one) or one of its fallbacks.

        *timeout* bounds the whole call in seconds, with all waits, retries and fallbacks. *sampler* overrides
        the profile's settings by their configuration keys (``temperature=0.2, max_tokens=100``).

        Raises before anything is sent: :class:`~roleforge_llm.ConfigError` (profile, backend, policy, format or
        setting), :class:`~roleforge_llm.MessageError`. Raises :class:`~roleforge_llm.AllProfilesFailed` when no
        profile gave a reply, or the :class:`~roleforge_llm.BackendError` itself where the policy gave up.
        """
        options = Options(False, timeout, tools, response_format, sampler)
        call = self._core.call(messages, profile, options)
        try:
            return _settled(call, lambda: self._attempt(call))
        finally:
            call.abandon()

    def _attempt(self, call: Call) -> Completion:
        backend, request = _started(self._core, call)
        return call.accept(backend.complete(request))

    def stream(
        self,
        messages: Iterable[MessageLike],
        profile: str | None = None,
        *,
        timeout: float | None = None,
        tools: Sequence[Mapping[str, object]] | None = None,
        response_format: Mapping[str, object] | None = None,
        **sampler: object,
    ) -> CompletionStream:
        """Like :meth:`complete`, as a context manager that iterates over the reply's text as it comes.

        Nothing is sent before the first piece is asked for.
        """
        options = Options(True, timeout, tools, response_format, sampler)
        return CompletionStream(self._core, self._core.call(messages, profile, options))

    def close(self) -> None:
        """Close all connections, and servers that backends started; a later call opens them anew."""
        for backend in self._core.made_backends():
            with closing(backend):
                backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class CompletionStream:
    """A reply as it comes: iterates over pieces of text, none of them empty.

    ``completion`` is the whole reply after the end; after leaving early it is partial, with finish_reason None.
    """

    def __init__(self, core: Core, call: Call) -> None:
        self._core = core
        self._call = call
        self._chunks: Iterator[Chunk] | None = None

    @property
    def completion(self) -> Completion:
        """The completion; while the stream runs, what has been received so far."""
        return self._call.completion or self._call.completed()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            while self._call.completion is None:
                if piece := _settled(self._call, self._read):
                    return piece
        except BaseException:
            # An interrupted reply ends here, as a generator would: going on would send a request of its own.
            self._call.abandon()
            raise
        raise StopIteration

    def _read(self) -> str:
        """The next piece, from a new attempt if none is running; empty where nothing can be handed out yet."""
        if self._chunks is None:
            backend, request = _started(self._core, self._call)
            self._chunks = iter(backend.stream(request))
        try:
            chunk = next(self._chunks, None)
        except BaseException:
            self._chunks = None
            raise
        text = "" if chunk is None else self._call.feed(chunk)
        if chunk is None or self._call.stopped:
            self._drop()
            text += self._call.end()
        return text

    def _drop(self) -> None:
        """Stop reading: closes the connection if the reply has not ended by itself."""
        chunks, self._chunks = self._chunks, None
        if chunks is not None and hasattr(chunks, "close"):
            chunks.close()

    def __del__(self) -> None:
        # One that nobody closed must not count as in flight for ever.
        self._call.abandon()

    def close(self) -> None:
        """Leave the stream; closes its connection."""
        self._drop()
        self._call.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _started(core: Core, call: Call) -> tuple[Backend, Request]:
    """Begin an attempt of *call*: its backend answers what the call asks, and gets the request."""
    backend = core.backend(call.target.profile.backend)
    steps = call.starting()
    try:
        question = next(steps)
        while True:
            question = steps.send(question.ask(backend))
    except StopIteration as end:
        return backend, end.value


def _settled(call: Call, step: Callable[[], T]) -> T:
    """*step* with what the policies of *call* decide after each failure: wait and repeat, next profile, or raise."""
    while True:
        try:
            return step()
        except Exception as error:  # noqa: BLE001  # the call decides which of them are failures
            failed = error
        try:
            return _retried(call, step, failed)
        except Exception as error:  # noqa: BLE001  # as above
            failed = error
        call.settle(failed)


def _retried(call: Call, step: Callable[[], T], failed: Exception) -> T:
    """Repeat *step*, which has just *failed*, as long as the policy wants. stamina waits in between."""
    import stamina

    first: Exception | None = failed
    for attempt in stamina.retry_context(on=call.retry_delay, attempts=None, timeout=None):
        with attempt:
            if first is not None:
                error, first = first, None
                raise error
            return step()
    raise AssertionError("stamina ends by returning or raising")
