"""What type checkers know of hook functions. Nothing of it is there at run time.

Python's types cannot tie a function's name to its arguments. So :data:`~roleforge_llm.hookimpl` takes any function
that could be one of the hooks: which of their arguments it takes, and what it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Never, Protocol, TypeAlias, TypeVar, overload

if TYPE_CHECKING:
    import click

    from roleforge_llm.attempts import Attempt, Event, Failure
    from roleforge_llm.backends import BackendSpec
    from roleforge_llm.formats import PromptFormat
    from roleforge_llm.policies import DerivedPolicySpec, PolicySpec

__all__ = ["Hook", "Marker"]

Policies: TypeAlias = "Iterable[PolicySpec | DerivedPolicySpec]"
Listed: TypeAlias = "Iterable[PromptFormat] | Iterable[BackendSpec] | Policies | Iterable[click.Command]"


class _WithoutArguments(Protocol):
    def __call__(self) -> Listed | Failure | None: ...


class _OfError(Protocol):
    def __call__(self, *, error: Exception) -> Failure | None: ...


class _OfAttempt(Protocol):
    def __call__(self, *, attempt: Attempt) -> Failure | None: ...


class _OfErrorAndAttempt(Protocol):
    def __call__(self, *, error: Exception, attempt: Attempt) -> Failure | None: ...


class _OfEvent(Protocol):
    def __call__(self, *, event: Event) -> None: ...


# The same as methods. Their first argument has its name, so that no other one is taken for it; its type is any.
# ruff: noqa: N805  # the names of these methods' own first argument


class _MethodWithoutArguments(Protocol):
    def __call__(_, *, self: Never) -> Listed | Failure | None: ...


class _MethodOfError(Protocol):
    def __call__(_, *, self: Never, error: Exception) -> Failure | None: ...


class _MethodOfAttempt(Protocol):
    def __call__(_, *, self: Never, attempt: Attempt) -> Failure | None: ...


class _MethodOfErrorAndAttempt(Protocol):
    def __call__(_, *, self: Never, error: Exception, attempt: Attempt) -> Failure | None: ...


class _MethodOfEvent(Protocol):
    def __call__(_, *, self: Never, event: Event) -> None: ...


Function: TypeAlias = _WithoutArguments | _OfError | _OfAttempt | _OfErrorAndAttempt | _OfEvent
Method: TypeAlias = (
    _MethodWithoutArguments | _MethodOfError | _MethodOfAttempt | _MethodOfErrorAndAttempt | _MethodOfEvent
)
Hook = TypeVar("Hook", bound=Function | Method)


class Marker(Protocol):
    """``@hookimpl``, bare or with pluggy's options for the order among plugins and for another function name."""

    @overload
    def __call__(self, function: Hook) -> Hook: ...

    @overload
    def __call__(
        self, *, optionalhook: bool = ..., tryfirst: bool = ..., trylast: bool = ..., specname: str | None = ...
    ) -> Callable[[Hook], Hook]: ...
