"""What a prompt format is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from roleforge_llm.messages import Conversation

if TYPE_CHECKING:
    from builtins import property as default
else:

    class default:  # noqa: N801  # stands for property
        """A property that a class or an instance may simply set, as attrs and plain ``__init__`` do."""

        def __init__(self, get: Callable[[object], object]) -> None:
            self.get = get
            self.__doc__ = get.__doc__

        def __get__(self, instance: object, owner: type) -> object:
            return self if instance is None else self.get(instance)


__all__ = ["Bos", "PromptFormat", "SystemTurns"]

SystemTurns: TypeAlias = Literal["any", "first", "none"]
Bos: TypeAlias = Literal["server", "template"]


class PromptFormat(Protocol):
    """How a conversation becomes one text.

    Subclass it, set :attr:`name` and whatever differs from the defaults as class attributes, and write
    :meth:`render`. Formats are shared by all threads.
    """

    @default
    def name(self) -> str:
        """What the format is asked for by; every format sets it."""
        raise NotImplementedError(f"{type(self).__name__} has no name")

    @default
    def stop(self) -> tuple[str, ...]:
        """The stop sequences: texts that end a reply and never belong to it."""
        return ()

    @default
    def control_tokens(self) -> tuple[str, ...]:
        """The markers of turns, which the text of a message must not be able to forge."""
        return ()

    @default
    def reply_prefix(self) -> str:
        """What the model writes between the prompt and its reply; removed once from a reply's beginning."""
        return ""

    @default
    def reply_suffix(self) -> str:
        """What the model writes between its reply and what follows; removed once from a reply's end."""
        return ""

    @default
    def system_turns(self) -> SystemTurns:
        """Where the format has a turn for a system message: anywhere, at the beginning only, or nowhere."""
        return "any"

    @default
    def bos(self) -> Bos:
        """Who puts the token for the beginning of the text: the server, or the template itself."""
        return "server"

    @default
    def bos_token(self) -> str:
        """The token's text, where the template puts it: sending drops it once if the server adds its own."""
        return ""

    @default
    def source(self) -> str:
        """Where the layout is from."""
        return ""

    @default
    def description(self) -> str:
        """One line on what the format is for."""
        return ""

    def render(self, conversation: Conversation, variables: Mapping[str, object] | None = None) -> str:
        """The whole prompt, ending where the model goes on, the conversation's prefill included.

        *variables* are further values for a template. Raises :class:`~roleforge_llm.MessageError` for a
        message that the format cannot express and :class:`~roleforge_llm.FormatError` for any other reason.
        """
        ...
