"""The reply of one call as it comes in, over all of its attempts."""

from __future__ import annotations

from collections.abc import Mapping

from roleforge_llm.backends import Chunk, Segment, Usage
from roleforge_llm.formats import StopCutter

__all__ = ["Reply"]


class Reply:
    """Collects chunks, cuts at stop sequences, and remembers who wrote what.

    What was handed out to the caller can not be taken back; what is still held back (it might become a stop
    sequence) is received, but not handed out.
    """

    def __init__(self) -> None:
        self._restart()
        self._cutter = StopCutter(())

    def _restart(self) -> None:
        self._done: list[Segment] = []
        self._pieces: list[str] = []
        self._profile = ""
        self._pending = ""
        self.tokens = 0
        self._reasoning: list[str] = []
        self.finish_reason: str | None = None
        self.usage: Usage | None = None
        self.model = ""
        self.tool_calls: tuple[Mapping[str, object], ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.raw: Mapping[str, object] | None = None
        self._said_stop: str | None = None

    def begin(self, profile: str, cutter: StopCutter) -> None:
        """An attempt on *profile* begins. It goes on after :attr:`received`, or anew where nothing was handed out."""
        handed = self.text
        held = self.received[len(handed) :] if handed else ""
        if handed:
            self._close_segment()
        else:
            self._restart()
        self._profile = profile
        self._cutter = cutter
        self._pending = cutter.feed(held) if held else ""

    def feed(self, chunk: Chunk) -> str:
        """Take *chunk*; gives the text that can be handed out now. Raises TypeError for what is no chunk of text."""
        if not isinstance(chunk, Chunk) or not isinstance(chunk.text, str):
            raise TypeError(f"a chunk with text was expected, not {chunk!r:.60}")
        text = self._pending
        self._pending = ""
        if chunk.text:
            self.tokens += chunk.tokens
            text += self._cutter.feed(chunk.text)
        self._note(chunk)
        if text:
            self._pieces.append(text)
        return text

    def _note(self, chunk: Chunk) -> None:
        if chunk.reasoning:
            self._reasoning.append(chunk.reasoning)
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.usage = chunk.usage or self.usage
        self.model = chunk.model or self.model
        self.tool_calls = chunk.tool_calls or self.tool_calls
        self.warnings += chunk.warnings
        self.raw = self.raw if chunk.raw is None else chunk.raw
        self._said_stop = chunk.stop_sequence or self._said_stop

    def end(self) -> str:
        """The reply is complete; gives the tail that was held back."""
        tail = self._pending + self._cutter.finish(complete=self.finish_reason != "length")
        self._pending = ""
        if tail:
            self._pieces.append(tail)
        if self.stopped:
            self.finish_reason = "stop"
        return tail

    def oddities(self) -> tuple[str, ...]:
        """What is strange about a reply without text."""
        if self.text or self.tool_calls:
            return ()
        return ("the reply is reasoning alone, without an answer",) if self.reasoning else ("the reply is empty",)

    def _close_segment(self) -> None:
        text = "".join(self._pieces)
        if text:
            self._done.append(Segment(self._profile, text))
        self._pieces = []

    @property
    def reasoning(self) -> str:
        """What the model sent apart from its answer."""
        return "".join(self._reasoning)

    @property
    def continued(self) -> bool:
        """Whether an earlier attempt wrote the beginning, of whose tokens no server tells."""
        return bool(self._done)

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence has ended the text."""
        return self._cutter.matched is not None

    @property
    def stop_sequence(self) -> str | None:
        """The stop sequence that ended the text, found here or named by the server; None if none is known."""
        return self._cutter.matched or self._said_stop

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Who wrote which part of the text that was handed out."""
        text = "".join(self._pieces)
        return (*self._done, Segment(self._profile, text)) if text else tuple(self._done)

    @property
    def text(self) -> str:
        """The text that was handed out."""
        return "".join(segment.text for segment in self.segments)

    @property
    def received(self) -> str:
        """The text that was received: handed out and held back. What a continuation goes on from."""
        return "".join(segment.text for segment in self._done) + self._cutter.raw
