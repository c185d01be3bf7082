from collections.abc import Iterable

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


@hookimpl  # wrong
def roleforge_formats() -> list[str]:
    return ["mine"]


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    return [
        TemplateFormat.from_text("mine", ""),  # wrong
        BackendSpec(name=1, factory="package.module:Mine"),  # wrong
        BackendSpec("mine", "package.module:Mine", capabilities={"chat"}),  # wrong
        BackendSpec("mine", "package.module:Mine", discover=lambda: [1]),  # wrong
    ]


@hookimpl
def roleforge_failure_policies() -> Iterable[PolicySpec]:
    return PolicySpec("mine", lambda profile: None, lambda profile: (1, 0.0))  # wrong


@hookimpl  # wrong
def roleforge_classify_error(error: BackendError, attempt: Attempt) -> Failure | None:
    return None


@hookimpl  # wrong
def roleforge_event(event: Attempt) -> None: ...


@hookimpl  # wrong
def roleforge_commands() -> Iterable[str]:
    return ["greet"]


@hookimpl  # wrong
def one_format() -> PromptFormat:
    return TemplateFormat.from_text("mine", "")


@hookimpl  # wrong
async def awaited() -> Iterable[PromptFormat]:
    return []


@hookimpl  # wrong
def misnamed(evnt: Event) -> None: ...


@hookimpl  # wrong
def certain(error: Exception) -> bool:
    return True


@hookimpl
def unclassified(error: Exception) -> Failure | None:
    return Failure(error=error, retryable=True)  # wrong


@hookimpl(wrapper=True)  # wrong
def wrapping(event: Event) -> None: ...


class Plugin:
    @hookimpl  # wrong
    def roleforge_event(self, event: Failure) -> None: ...

    @hookimpl  # wrong
    def roleforge_formats(self) -> dict[str, PromptFormat]:
        return {}
