"""All six hooks, as functions and as methods, with all arguments, some, or none."""

from collections.abc import Iterable, Iterator, Sequence

import click

from roleforge_llm import (
    Attempt,
    BackendError,
    BackendSpec,
    Event,
    Failure,
    PolicySpec,
    PromptFormat,
    TemplateFormat,
    hookimpl,
)

ROLEFORGE_LLM_API = ">=1,<2"


@hookimpl
def roleforge_formats() -> Iterator[PromptFormat]:
    yield TemplateFormat.from_text("mine", "{{ user_message }}")


@hookimpl
def roleforge_backends() -> Sequence[BackendSpec]:
    return [BackendSpec("mine", "their_package.module:Mine", description="Mine.")]


@hookimpl
def roleforge_failure_policies() -> tuple[PolicySpec, ...]:
    return ()


@hookimpl(tryfirst=True)
def roleforge_classify_error(attempt: Attempt, error: Exception) -> Failure | None:
    return Failure(error=BackendError(f"{error} in attempt {attempt.number}"), retryable=True)


@hookimpl
def roleforge_event(event: Event) -> None:
    if event.error is not None:
        print(event.error.kind, event.error.status, event.wait or 0.0)


@click.command()
@click.option("--name")
def greet(name: str) -> None:
    click.echo(name)


@hookimpl
def roleforge_commands() -> Iterable[click.Command]:
    return [greet]


@hookimpl(specname="roleforge_event")
def count() -> None: ...


class Plugin:
    @hookimpl
    def roleforge_formats(self) -> list[TemplateFormat]:
        return []

    @hookimpl
    def roleforge_classify_error(self, error: Exception) -> None:
        print(error)

    @hookimpl
    def roleforge_event(self, event: Event) -> None:
        print(event.kind)

    @staticmethod
    @hookimpl
    def roleforge_commands() -> list[click.Command]:
        return []


formats: list[TemplateFormat] = Plugin().roleforge_formats()
failure: Failure | None = roleforge_classify_error(Attempt("mine", 1, ok=False), OSError())
