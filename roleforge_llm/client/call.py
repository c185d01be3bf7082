"""One call: which attempt is next, what came in, and what follows a failure.

Everything that a call decides is decided here, without I/O: the sync and the async client only differ in
how they wait for what this asks for.
"""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Generator, Sequence
from typing import NoReturn

import attrs

from roleforge_llm.attempts import Attempt, Event, EventKind, Failure
from roleforge_llm.backends import Chunk, Completion, Request
from roleforge_llm.client.fitting import Fitted, Question, fit
from roleforge_llm.client.healthbook import HealthBook
from roleforge_llm.client.reply import Reply
from roleforge_llm.client.requests import Options, build_request
from roleforge_llm.client.targets import Target
from roleforge_llm.errors import AllProfilesFailed, BackendError, InvalidRequest, RoleforgeError
from roleforge_llm.formats import StopCutter
from roleforge_llm.host import PluginHost
from roleforge_llm.messages import Conversation, Message
from roleforge_llm.policies import Decision, FallBack, GiveUp, Retry
from roleforge_llm.profiles import Profile

__all__ = ["Call", "Surroundings"]

log = logging.getLogger("roleforge_llm")

_numbers = itertools.count(1)


@attrs.frozen
class Surroundings:
    """What all calls of one client share. *clock* gives monotonic seconds, *jitter* a number in [0, 1)."""

    host: PluginHost
    health: HealthBook
    clock: Callable[[], float]
    jitter: Callable[[], float]


class Call:
    """The ledger of one call."""

    def __init__(
        self, around: Surroundings, targets: Sequence[Target], conversation: Conversation, options: Options
    ) -> None:
        self._around = around
        self._targets = targets
        self._conversation = conversation
        self._options = options
        self._id = next(_numbers)
        self._reply = Reply()
        self._attempts: list[Attempt] = []
        self._errors: list[BackendError] = []
        self._began = around.clock()
        self._limit = options.timeout if options.timeout is not None else targets[0].profile.timeouts.total
        self._decided: tuple[Exception, Decision] | None = None
        self._at = -1
        self._number = 0
        self._waited = 0.0
        self._waited_here = 0.0
        self._attempt_began: float | None = None
        self.completion: Completion | None = None
        if not self._next_target():
            raise AllProfilesFailed((), (), reason=self._all_resting())
        self._omitted: tuple[int, ...] = ()
        # Made at once, so that what cannot be sent is told before the call begins.
        self._checked: Request | None = self._request(conversation.messages)

    # ------------------------------------------------------------------ attempts

    @property
    def target(self) -> Target:
        """The profile that is being tried."""
        return self._targets[self._at]

    def starting(self) -> Generator[Question, int | None, Request]:
        """Begin the next attempt: asks what only the backend knows, and gives the request to send."""
        self._decided = None
        self._number += 1
        fitted = yield from self._fitted()
        self._omit(fitted)
        request = attrs.evolve(fitted.request, deadline=self._attempt_deadline())
        self._begin_reply(request)
        self._attempt_began = self._around.clock()
        self._around.health.started(self.target.profile.name)
        self._emit("attempt-started")
        return request

    def _fitted(self) -> Generator[Question, int | None, Fitted]:
        whole, self._checked = self._checked, None
        try:
            return (
                yield from fit(
                    self._conversation.messages,
                    whole or self._request(self._conversation.messages),
                    self._request,
                    ask_window=self.target.capabilities.knows_context_window,
                )
            )
        except RoleforgeError as error:
            if isinstance(error, BackendError):
                raise
            raise InvalidRequest(f"cannot be sent to this profile: {error}", kind="unsendable") from error

    def _request(self, messages: Sequence[Message]) -> Request:
        received, tokens = (self._reply.received, self._reply.tokens) if self._reply.text else ("", 0)
        left = attrs.evolve(self._conversation, messages=tuple(messages))
        return build_request(self.target, left, self._options, received=received, tokens=tokens)

    def _omit(self, fitted: Fitted) -> None:
        """Remember, and tell, which messages were left out."""
        self._omitted = fitted.omitted
        if fitted.omitted:
            self._emit("context-trimmed")

    def _begin_reply(self, request: Request) -> None:
        found = self.target.format
        cutter = StopCutter(
            request.stop,
            prefix=found.reply_prefix if found is not None and request.prompt is not None and not request.prefill else "",
            suffix=found.reply_suffix if found is not None and request.prompt is not None else "",
        )
        self._reply.begin(self.target.profile.name, cutter)

    def _attempt_deadline(self) -> float | None:
        now = self._around.clock()
        limits = [self.target.profile.timeouts.attempt, self._remaining(now)]
        return min((now + limit for limit in limits if limit is not None), default=None)

    def _remaining(self, now: float) -> float | None:
        return None if self._limit is None else self._began + self._limit - now

    # ------------------------------------------------------------------ what comes in

    def accept(self, completion: Completion) -> Completion:
        """Take the whole reply of an attempt that did not stream."""
        chunk = Chunk(
            text=completion.text,
            reasoning=completion.reasoning,
            finish_reason=completion.finish_reason,
            usage=completion.usage,
            model=completion.model,
            tool_calls=completion.tool_calls,
            warnings=completion.warnings,
        )
        self._reply.feed(chunk)
        self.end()
        assert self.completion is not None, "end() makes the completion"
        self.completion = attrs.evolve(self.completion, raw=completion.raw)
        return self.completion

    def feed(self, chunk: Chunk) -> str:
        """Take a piece of a streamed reply; gives the text to hand out."""
        return self._reply.feed(chunk)

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence has ended the text, so that nothing more needs to be read."""
        return self._reply.stopped

    def end(self) -> str:
        """The reply is complete; gives the tail to hand out and makes the :attr:`completion`."""
        tail = self._reply.end()
        now = self._around.clock()
        elapsed = now - (self._attempt_began or now)
        self._attempt_began = None
        self._around.health.succeeded(self.target.profile.name, now, elapsed)
        self._attempts.append(self._attempt(ok=True, elapsed=elapsed))
        self._emit("finished")
        if self._errors:
            log.info("LLM API call succeeded: profile=%s attempt=%d", self.target.profile.name, self._number)
        self.completion = self.partial_completion()
        return tail

    def abandon(self) -> None:
        """The caller has left before the end: nothing more is read, and no outcome is counted."""
        if self._attempt_began is not None:
            self._attempt_began = None
            self._around.health.abandoned(self.target.profile.name)
        if self.completion is None:
            self.completion = attrs.evolve(self.partial_completion(), finish_reason=None)

    def partial_completion(self) -> Completion:
        """What has been received so far, as a completion."""
        reply, target = self._reply, self.target
        return Completion(
            text=reply.text,
            finish_reason=reply.finish_reason,
            profile=target.profile.name,
            model=reply.model or target.profile.model,
            format=target.format.name if target.format is not None else None,
            usage=reply.usage if len(reply.segments) < 2 else None,
            reasoning=reply.reasoning,
            tool_calls=reply.tool_calls,
            attempts=tuple(self._attempts),
            segments=reply.segments,
            omitted=self._omitted,
            warnings=tuple(dict.fromkeys((*target.warnings, *self._left_out(), *reply.warnings, *self._odd()))),
        )

    def _left_out(self) -> Sequence[str]:
        if not self._omitted:
            return ()
        how = "counted" if self.target.capabilities.counts_tokens else "estimated"
        return (f"{len(self._omitted)} messages were left out to fit the context (tokens {how})",)

    def _odd(self) -> Sequence[str]:
        reply = self._reply
        if reply.text or reply.tool_calls:
            return ()
        return ("the reply is reasoning alone, without an answer",) if reply.reasoning else ("the reply is empty",)

    # ------------------------------------------------------------------ failures

    def retry_delay(self, error: Exception) -> float | bool:
        """stamina's question after *error*: seconds to wait before another attempt on this profile, or False."""
        decision = self._decision(error)
        if not isinstance(decision, Retry):
            return False
        self._waited = decision.delay
        self._waited_here += decision.delay
        return float(decision.delay)

    def settle(self, error: Exception) -> None:
        """No retry follows *error*: go on to the next profile, or raise what the caller gets."""
        decision = self._decision(error)
        if decision is None:
            self.abandon()
            raise error
        if not isinstance(decision, GiveUp) and self._next_target():
            self._emit("fell-back", next_profile=self.target.profile.name)
            return
        self._emit("gave-up", error=self._errors[-1])
        self.abandon()
        self._raise_ending(decision)

    def _decision(self, error: Exception) -> Decision | None:
        """What follows *error*, decided once; None if it is not an attempt's failure."""
        if self._decided is not None and self._decided[0] is error:
            return self._decided[1]
        if not isinstance(error, Exception) or (
            isinstance(error, RoleforgeError) and not isinstance(error, BackendError)
        ):
            return None
        decision = self._decide(error)
        self._decided = (error, decision)
        return decision

    def _decide(self, error: Exception) -> Decision:
        now = self._around.clock()
        elapsed = now - (self._attempt_began if self._attempt_began is not None else now)
        failure = self._failure(error, now, elapsed)
        decision = self._allowed(self._asked(failure), failure)
        self._note(failure, decision, now, elapsed)
        return decision

    def _failure(self, error: Exception, now: float, elapsed: float) -> Failure:
        """*error* as a classified failure with all that a policy may know."""
        known = self._around.host.classify_error(error, self._attempt(ok=False, elapsed=elapsed))
        if known is None:
            known = Failure(error=_unexpected(self.target, error), retryable=False)
        self._complete_error(known.error)
        return attrs.evolve(
            known,
            profile=self.target.profile.name,
            number=self._number,
            attempts=tuple(self._attempts),
            elapsed=now - self._began,
            remaining=self._remaining(now),
            received=self._reply.text,
            can_continue=self._can_go_on(self.target),
            profiles_left=tuple(t.profile.name for t in self._targets[self._at + 1 :] if self._can_go_on(t)),
            retry_config=self.target.profile.retry_config,
            jitter=self._around.jitter(),
        )

    def _complete_error(self, error: BackendError) -> None:
        error.message = masked(error.message, self.target.profile)
        error.args = (error.message,)
        error.profile, error.attempt = self.target.profile.name, self._number
        error.partial = self._reply.received or error.partial

    def _asked(self, failure: Failure) -> Decision:
        """The policy's decision. A policy that fails itself must not take the call with it."""
        try:
            decision = self.target.policy.decide(failure)
        except Exception:
            log.exception("failure policy %s failed; falling back", self.target.profile.failure_policy)
            return FallBack("the failure policy failed")
        if isinstance(decision, Retry) and math.isfinite(decision.delay) and decision.delay >= 0:
            return decision
        if isinstance(decision, (FallBack, GiveUp)):
            return decision
        log.error("failure policy %s gave %r; falling back", self.target.profile.failure_policy, decision)
        return FallBack("the failure policy gave no decision")

    def _allowed(self, decision: Decision, failure: Failure) -> Decision:
        """*decision*, held to the policy's declared limits, the deadline, and what the received text allows."""
        requests, seconds = self.target.limits
        if failure.remaining is not None and failure.remaining <= 0:
            return GiveUp("no time is left")
        if failure.received and self.target.profile.on_interrupt == "raise":
            return GiveUp("onInterrupt is raise")
        if not isinstance(decision, Retry):
            return decision
        if not failure.can_continue:
            return FallBack("this profile cannot continue a broken reply")
        if failure.number >= requests:
            return FallBack(f"the policy's limit of {requests} requests is reached")
        if self._waited_here + decision.delay > seconds * (1 + 1e-9):
            return FallBack(f"the policy's limit of {seconds:g} s of waiting is reached")
        if failure.remaining is not None and decision.delay >= failure.remaining:
            return FallBack("the wait would pass the deadline")
        return decision

    def _can_go_on(self, target: Target) -> bool:
        return not self._reply.text or target.continues_prefill

    def _note(self, failure: Failure, decision: Decision, now: float, elapsed: float) -> None:
        error, profile = failure.error, self.target.profile
        self._attempt_began = None
        self._around.health.failed(profile.name, now)
        attempt = attrs.evolve(
            self._attempt(ok=False, elapsed=elapsed),
            error=f"{type(error).__name__}: {_one_line(error.message)}",
            kind=error.kind,
            status=error.status,
            next=self._what_next(decision),
        )
        self._attempts.append(attempt)
        self._errors.append(error)
        self._log(attempt, decision)
        self._emit("attempt-failed", error=error)
        if failure.received:
            self._emit("stream-interrupted", error=error)
        if isinstance(decision, Retry):
            self._emit("retry-scheduled", error=error, wait=decision.delay)
        elif failure.retryable and profile.cooldown_seconds:
            self._around.health.rest(profile.name, now + profile.cooldown_seconds)

    def _what_next(self, decision: Decision) -> str:
        if isinstance(decision, Retry):
            return f"retry in {decision.delay:.3g} s"
        reason = f" ({decision.reason})" if decision.reason else ""
        if isinstance(decision, GiveUp):
            return f"give up{reason}"
        following = next((t for t in self._targets[self._at + 1 :] if self._can_go_on(t)), None)
        step = f"fall back to {following.profile.name}" if following is not None else "no profile left"
        return step + reason

    def _log(self, attempt: Attempt, decision: Decision) -> None:
        log.warning(
            "LLM API call failed: profile=%s attempt=%d error=%s wait=%.3gs next=%s",
            attempt.profile,
            attempt.number,
            attempt.error,
            decision.delay if isinstance(decision, Retry) else 0.0,
            attempt.next,
        )

    def _next_target(self) -> bool:
        """Move on to the next profile that may be tried; False if there is none."""
        now = self._around.clock()
        for at in range(self._at + 1, len(self._targets)):
            target = self._targets[at]
            cooldown = target.profile.cooldown_seconds
            if self._can_go_on(target) and self._around.health.admits(target.profile.name, now, cooldown):
                self._at, self._number, self._waited, self._waited_here = at, 0, 0.0, 0.0
                return True
        return False

    def _raise_ending(self, decision: Decision) -> NoReturn:
        """Raise the error itself where the call was given up, else the whole sequence."""
        error = self._errors[-1]
        error.attempts = tuple(self._attempts)
        remaining = self._remaining(self._around.clock())
        in_time = remaining is None or remaining > 0
        if isinstance(decision, GiveUp) and in_time:
            raise error
        reason = "" if in_time else f"the time limit of {self._limit:g} s for the whole call passed"
        raise AllProfilesFailed(self._attempts, self._errors, error.partial, reason) from error

    def _all_resting(self) -> str:
        names = ", ".join(target.profile.name for target in self._targets)
        return f"every profile is resting after failures (cooldownSeconds): {names}; try again later"

    # ------------------------------------------------------------------ records

    def _attempt(self, *, ok: bool, elapsed: float) -> Attempt:
        return Attempt(
            profile=self.target.profile.name, number=self._number, ok=ok, waited=self._waited, elapsed=elapsed
        )

    def _emit(
        self,
        kind: EventKind,
        *,
        error: BackendError | None = None,
        wait: float | None = None,
        next_profile: str | None = None,
    ) -> None:
        self._around.host.emit(
            Event(
                kind=kind,
                call=self._id,
                profile=self.target.profile.name,
                number=self._number,
                error=error,
                wait=wait,
                next_profile=next_profile,
                received=len(self._reply.text),
            )
        )


def masked(text: str, profile: Profile) -> str:
    """*text* without the secrets of *profile*."""
    for secret in profile.secrets():
        text = text.replace(secret, "***")
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500]


def _unexpected(target: Target, error: Exception) -> BackendError:
    found = BackendError(
        f"the backend {target.profile.backend} raised {type(error).__name__}: {error}", kind="unexpected"
    )
    found.__cause__ = error
    return found
