from collections.abc import Iterable, Mapping

from roleforge_llm import Conversation, PromptFormat, TemplateFormat, hookimpl


class Plain(PromptFormat):
    name = "plain"
    stop = ("\n\n",)

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        return "\n".join(message.text for message in conversation.messages)


@hookimpl
def roleforge_formats() -> Iterable[PromptFormat]:
    return [Plain(), TemplateFormat.from_text("mine", "{{ user_message }}")]
