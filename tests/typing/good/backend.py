from collections.abc import Iterable, Iterator

from roleforge_llm import (
    Backend,
    BackendError,
    BackendSpec,
    Capabilities,
    Chunk,
    Completion,
    Profile,
    Request,
    hookimpl,
)


class Echo(Backend):
    def complete(self, request: Request) -> Completion:
        if request.prompt is None:
            raise BackendError("no prompt", kind="chat")
        return Completion(request.prompt, "stop")

    def stream(self, request: Request) -> Iterator[Chunk]:
        yield Chunk(text=request.prompt or "", finish_reason="stop")


def capabilities(profile: Profile) -> Capabilities:
    return Capabilities(endpoints={"completions"}, max_stop=4 if profile.model else None)


@hookimpl
def roleforge_backends() -> Iterable[BackendSpec]:
    return [BackendSpec("echo", Echo, capabilities), BackendSpec("late", "their_package.module:Echo")]
