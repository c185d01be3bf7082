from roleforge_llm import Backend, BackendSpec, Completion, Request


class Echo(Backend):
    def complete(self, request: Request) -> str:  # wrong
        return request.prompt  # wrong


class Careful(Backend):
    def complete(self, request: Request) -> Completion:
        return Completion(request.promt or "")  # wrong


spec = BackendSpec("echo", factory=42)  # wrong
