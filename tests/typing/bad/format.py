from collections.abc import Iterable

from roleforge_llm import Conversation, PromptFormat, TemplateFormat, hookimpl


class Careless(PromptFormat):
    name = "careless"

    def render(self, conversation: Conversation) -> str:  # wrong
        return ""


class Forgetful(PromptFormat):
    name = "forgetful"


@hookimpl
def roleforge_formats() -> Iterable[PromptFormat]:
    return [
        TemplateFormat.from_text("mine", 42),  # wrong
        Forgetful(),  # wrong
        "mine",  # wrong
    ]
