from roleforge_llm import Decision, Failure, FailurePolicy, Health, PolicySpec, Retry


class Impatient(FailurePolicy):
    def decide(self, failure: Failure) -> Decision:
        return "retry"  # wrong


class Late(FailurePolicy):
    async def decide(self, failure: Failure) -> Decision:  # wrong
        return Retry("soon")  # wrong


spec = PolicySpec("late", factory=lambda profile: Impatient(), limits=lambda profile: 3)  # wrong
Health(latency="fast")  # wrong
