from roleforge_llm import Backend, Completion, Request, ServerError


class Parrot(Backend):
    """Says what it is told; the model "sleepy" fails its first two requests."""

    def __init__(self) -> None:
        self.requests = 0

    def complete(self, request: Request) -> Completion:
        self.requests += 1
        if request.profile.model == "sleepy" and self.requests <= 2:
            raise ServerError("the parrot is asleep", kind="asleep", status=503)
        return Completion(f"Squawk! {request.prompt}", "stop")
