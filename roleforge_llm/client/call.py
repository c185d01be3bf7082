"""One call: which attempt is next, what came in, and what follows a failure.

Everything that a call decides is decided here and in the modules that this one puts together, without I/O:
the sync and the async client only differ in how they wait for what this asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import NoReturn

import attrs

from roleforge_llm.attempts import Failure
from roleforge_llm.backends import Chunk, Completion, Request
from roleforge_llm.client.classification import classified
from roleforge_llm.client.fitting import Fitted, Question, fit
from roleforge_llm.client.healthbook import HealthBook
from roleforge_llm.client.journal import Journal
from roleforge_llm.client.learning import WhichTemplate, learned
from roleforge_llm.client.reply import Reply
from roleforge_llm.client.requests import Options, build_request, is_constrained
from roleforge_llm.client.route import Route
from roleforge_llm.client.targets import Target
from roleforge_llm.client.verdicts import has_exhausted, is_of_the_request, verdict
from roleforge_llm.errors import AllProfilesFailed, BackendError, InvalidRequest, RoleforgeError, ServerError
from roleforge_llm.formats import StopCutter
from roleforge_llm.host import PluginHost
from roleforge_llm.messages import Conversation, Message
from roleforge_llm.policies import Decision, FallBack, GiveUp, Retry

__all__ = ["Call", "Surroundings"]


@attrs.frozen
class Surroundings:
    """What all calls of one client share. *clock* gives monotonic seconds, *jitter* a number in [0, 1)."""

    host: PluginHost
    health: HealthBook
    clock: Callable[[], float]
    jitter: Callable[[], float]


class Call:
    """The ledger of one call, which may take *limit* seconds."""

    def __init__(
        self,
        around: Surroundings,
        targets: Sequence[Target],
        conversation: Conversation,
        options: Options,
        limit: float | None,
    ) -> None:
        self._around = around
        self._conversation = conversation
        self._options = options
        self._reply = Reply()
        self._route = Route(targets, around.health, around.clock, limit, self._can_go_on)
        self._journal = Journal(around.host, self._route)
        self._checked: Request | None = None
        self._decided: tuple[Exception, Decision] | None = None
        self._is_loading = False
        self._omitted: tuple[int, ...] = ()
        self._noted: tuple[str, ...] = ()
        self.completion: Completion | None = None
        if not self._route.begin():
            raise AllProfilesFailed((), (), reason=_all_resting(targets))
        # Made at once, so that what cannot be sent is told before the call begins.
        try:
            self._checked = None if self.target.unknown_format else self._request(conversation.messages)
        except BaseException:
            self._route.leave()
            raise

    # ------------------------------------------------------------------ attempts

    @property
    def target(self) -> Target:
        """The profile that is being tried."""
        return self._route.target

    def starting(self) -> Generator[Question | WhichTemplate, int | None, Request]:
        """Begin the next attempt: asks what only the backend knows, and gives the request to send."""
        self._decided = None
        if not self._is_loading:
            self._route.number += 1
        self._is_loading = False
        self._route.choose()
        # Questions are part of the attempt: a server that does not answer them has no more time than for its reply.
        deadline = self._route.attempt_deadline()
        yield from learned(self.target, self._route.hurried_profile)
        fitted = yield from self._fitted(deadline)
        self._omitted = fitted.omitted
        if fitted.omitted:
            self._journal.emit("context-trimmed")
        self._noted = fitted.request.warnings
        if fitted.request.escaped:
            self._journal.emit("markers-escaped")
        self._reply.begin(self._route.profile, self._cutter(fitted.request))
        self._route.begin_attempt()
        self._journal.emit("attempt-started", len(self._reply.text))
        return fitted.request

    def _fitted(self, deadline: float | None) -> Generator[Question, int | None, Fitted]:
        checked, self._checked = self._checked, None
        messages = self._conversation.messages
        try:
            whole = attrs.evolve(checked or self._request(messages), deadline=deadline)
            asked = self._route.hurried_profile if self.target.capabilities.knows_context_window else None
            return (yield from fit(messages, whole, self._request, asked))
        except BackendError:
            raise
        except RoleforgeError as error:
            raise InvalidRequest(f"cannot be sent to this profile: {error}", kind="unsendable") from error

    def _request(self, messages: Sequence[Message]) -> Request:
        received, tokens = (self._reply.received, self._reply.tokens) if self._reply.text else ("", 0)
        conversation = attrs.evolve(self._conversation, messages=tuple(messages))
        return build_request(self.target, conversation, self._options, received=received, tokens=tokens)

    def _cutter(self, request: Request) -> StopCutter:
        found = self.target.format
        if found is None or request.prompt is None:
            return StopCutter(request.stop)
        prefix = "" if request.prefill else found.reply_prefix
        return StopCutter(request.stop, prefix=prefix, suffix=found.reply_suffix)

    def _can_go_on(self, target: Target) -> bool:
        return not self._reply.text or (target.continues_prefill and not is_constrained(target, self._options))

    # ------------------------------------------------------------------ what comes in

    def accept(self, completion: Completion) -> Completion:
        """Take the whole reply of an attempt that did not stream."""
        if not isinstance(completion, Completion):
            raise TypeError(f"a Completion was expected, not {completion!r:.60}")
        self._reply.feed(Chunk.of(completion))
        self.end()
        self.completion = self.completed()
        return self.completion

    def feed(self, chunk: Chunk) -> str:
        """Take a piece of a streamed reply; gives the text to hand out."""
        if chunk.text or chunk.reasoning or chunk.tool_calls:
            self._route.answers()
        return self._reply.feed(chunk)

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence has ended the text, so that nothing more needs to be read."""
        return self._reply.stopped

    def end(self) -> str:
        """The reply is complete; gives the tail to hand out and makes the :attr:`completion`."""
        tail = self._reply.end()
        elapsed = self._route.end_attempt(ok=True)
        self._journal.succeeded(elapsed, len(self._reply.text))
        self.completion = self.completed()
        return tail

    def abandon(self) -> None:
        """The caller has left, or the call has failed: nothing more is read, and no outcome is counted."""
        if self.completion is None:
            self._route.leave()
            self.completion = attrs.evolve(self.completed(), finish_reason=None)

    def completed(self) -> Completion:
        """What has been received so far, as a completion."""
        reply, target = self._reply, self.target
        return Completion(
            text=reply.text,
            finish_reason=reply.finish_reason,
            profile=target.profile.name,
            model=reply.model or target.profile.model,
            format=self._format_used(),
            usage=None if reply.continued else reply.usage,
            reasoning=reply.reasoning,
            tool_calls=reply.tool_calls,
            raw=reply.raw,
            stop_sequence=reply.stop_sequence,
            attempts=tuple(self._journal.attempts),
            segments=reply.segments,
            omitted=self._omitted,
            warnings=tuple(
                dict.fromkeys((*target.warnings, *self._left_out(), *self._noted, *reply.warnings, *reply.oddities()))
            ),
        )

    def _format_used(self) -> str | None:
        """The format that made the prompt; on a chat endpoint it only gives stop sequences."""
        found = self.target.format
        return found.name if found is not None and self.target.profile.effective_endpoint == "completions" else None

    def _left_out(self) -> Sequence[str]:
        if not self._omitted:
            return ()
        how = "counted" if self.target.capabilities.counts_tokens else "estimated"
        return (f"{len(self._omitted)} messages were left out to fit the context (tokens {how})",)

    # ------------------------------------------------------------------ failures

    def retry_delay(self, error: Exception) -> float | bool:
        """Stamina's question after *error*: seconds to wait before this profile is asked again, or False."""
        if (delay := self._loading_delay(error)) is not None:
            return delay
        decision = self._decision(error)
        if not isinstance(decision, Retry):
            return False
        self._route.wait(decision.delay)
        return float(decision.delay)

    def _loading_delay(self, error: Exception) -> float | None:
        """Seconds until a server that is loading its model is asked again; None where it is not, or took too long.

        That is still the same attempt: it uses up no retry, and has a budget of its own.
        """
        if not isinstance(error, ServerError) or error.kind != "loading":
            return None
        if (delay := self._route.loading_delay(error.retry_after or 0.0)) is None:
            return None
        self._route.end_attempt(ok=None)
        self._is_loading = True
        self._journal.loading(delay)
        return delay

    def settle(self, error: Exception) -> None:
        """No retry follows *error*: go on to the next profile, or raise what the caller gets."""
        decision = self._decision(error)
        if decision is None:
            self.abandon()
            raise error
        if isinstance(decision, Retry):
            self._journal.correct(FallBack("stamina is switched off"))
        if not isinstance(decision, GiveUp) and self._route.next():
            self._journal.fell_back(len(self._reply.text))
            return
        self._journal.emit("gave-up", len(self._reply.text), error=self._journal.errors[-1])
        self.abandon()
        self._raise_ending(decision)

    def _decision(self, error: Exception) -> Decision | None:
        """What follows *error*, decided once; None if it is not an attempt's failure."""
        if self._decided is not None and self._decided[0] is error:
            return self._decided[1]
        is_ours_but_no_attempts = isinstance(error, RoleforgeError) and not isinstance(error, BackendError)
        if not isinstance(error, Exception) or is_ours_but_no_attempts:
            return None
        decision = self._decide(error)
        self._decided = (error, decision)
        return decision

    def _decide(self, error: Exception) -> Decision:
        elapsed = self._route.elapsed
        attempt = self._journal.attempt(ok=False, elapsed=elapsed)
        known = classified(self._around.host, self.target, error, attempt)
        self._route.end_attempt(ok=None if is_of_the_request(known.error) else False)
        self._route.reorder()
        failure = self._failure(known)
        decision = verdict(self.target, failure, self._route.waited_here)
        self._journal.failed(failure.error, decision, elapsed, len(failure.received))
        if has_exhausted(self.target, failure, decision):
            self._route.rest()
        return decision

    def _failure(self, known: Failure) -> Failure:
        """The classified failure *known* with all that a policy may know."""
        route = self._route
        known.error.partial = self._reply.received or known.error.partial
        return attrs.evolve(
            known,
            profile=route.profile,
            number=route.number,
            attempts=tuple(self._journal.attempts),
            elapsed=route.clock() - route.began,
            remaining=route.remaining(),
            received=self._reply.text,
            can_continue=self._can_go_on(self.target),
            profiles_left=tuple(target.profile.name for target in route.left()),
            retry_config=self.target.profile.retry_config,
            jitter=self._around.jitter(),
            health=route.health(),
        )

    def _raise_ending(self, decision: Decision) -> NoReturn:
        """Raise the error itself where the call was given up, else the whole sequence."""
        attempts, errors = self._journal.attempts, self._journal.errors
        error = errors[-1]
        error.attempts = tuple(attempts)
        remaining = self._route.remaining()
        in_time = remaining is None or remaining > 0
        if isinstance(decision, GiveUp) and in_time:
            raise error
        reason = "" if in_time else f"the time limit of {self._route.limit:g} s for the whole call passed"
        raise AllProfilesFailed(attempts, errors, error.partial, reason) from error


def _all_resting(targets: Sequence[Target]) -> str:
    names = ", ".join(target.profile.name for target in targets)
    return f"every profile is resting after failures (cooldownSeconds): {names}; try again later"
