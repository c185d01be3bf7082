"""What a backend is: it sends a request and gives back a completion, whole or in chunks."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

import attrs

from roleforge_llm.backends.replies import Chunk, Completion, Segment, Usage

if TYPE_CHECKING:  # a plugin that lists a backend needs none of these
    from roleforge_llm.errors import Fault
    from roleforge_llm.messages import Message
    from roleforge_llm.profiles import Endpoint, Profile, Sampler

__all__ = [
    "Backend",
    "BackendSpec",
    "Capabilities",
    "Chunk",
    "Completion",
    "DiscoveredServer",
    "Request",
    "Segment",
    "ServerTemplate",
    "Usage",
    "estimate_tokens",
]

_WORDLIKE = re.compile(r"[A-Za-z ]")


@attrs.frozen
class Request:
    """One attempt, ready to send.

    *profile* says where to, *sampler* is its sampler with the call's own settings on top. *stream* says which of the
    backend's methods is called; *tools* and *response_format* are the call's, in OpenAI's shape.
    On the completions endpoint *prompt* is the text to continue (prefill included) and *messages* is what it
    was made from; on the chat endpoint *prompt* is None and *prefill* is the assistant turn to continue.
    *stop* is the union of the format's and the sampler's stop sequences. *deadline* is a time of
    ``time.monotonic()`` by which the attempt must have ended, None without one. *warnings* are about the
    prompt; *escaped* says that markers of turns in the messages were escaped in it.
    """

    profile: Profile
    endpoint: Endpoint
    messages: tuple[Message, ...]
    sampler: Sampler
    prompt: str | None = None
    prefill: str = ""
    stop: tuple[str, ...] = ()
    stream: bool = False
    tools: Sequence[Mapping[str, object]] | None = None
    response_format: Mapping[str, object] | None = None
    deadline: float | None = None
    escaped: bool = False
    warnings: tuple[str, ...] = ()


@attrs.frozen
class ServerTemplate:
    """The chat template that a server has for its model, *text*, with the tokens that it is given.

    *bos_token* and *eos_token* are empty where the server does not tell them. *tool_text* is another template, for
    conversations with tools, empty where there is none.
    """

    text: str
    bos_token: str = ""
    eos_token: str = ""
    tool_text: str = ""


class Backend(Protocol):
    """Sends requests to one kind of server. One object serves all profiles and threads of a client.

    Subclass it and write :meth:`complete`; the other methods have defaults that are correct, if not fast:
    a stream of one chunk, and async calls in a worker thread. Every failure must be raised as a
    :class:`~roleforge_llm.BackendError` (one of its subclasses); the host treats any other exception as a
    fault of the backend and goes on with the next profile. A stream that ends without raising was complete.
    Stop sequences, ``reply_prefix`` and ``reply_suffix`` are the host's business: give the text as it came.
    """

    def build_on(self, backends: Callable[[str], Backend]) -> None:
        """Called once before the first use, with a look-up of the client's other backends by name.

        For a backend that only finds or starts a server and leaves the talking to another one.
        """
        return  # an empty body would make it abstract for type checkers

    def complete(self, request: Request) -> Completion:
        """Send *request* and wait for the whole reply."""
        ...

    def stream(self, request: Request) -> Iterator[Chunk]:
        """Send *request* and yield its reply as it comes. Closing the iterator must close the connection."""
        yield Chunk.of(self.complete(request))

    async def acomplete(self, request: Request) -> Completion:
        """:meth:`complete` for asyncio."""
        import asyncio

        return await asyncio.to_thread(self.complete, request)

    async def astream(self, request: Request) -> AsyncIterator[Chunk]:
        """:meth:`stream` for asyncio."""
        import asyncio

        chunks = iter(self.stream(request))
        done = object()
        while (chunk := await asyncio.to_thread(next, chunks, done)) is not done:
            assert isinstance(chunk, Chunk)
            yield chunk

    def wire_body(self, request: Request) -> Mapping[str, object]:
        """The body that would be sent for *request*, for ``explain``. No secret may be in it."""
        return {}

    def count_tokens(self, request: Request) -> int:
        """How many tokens the prompt of *request* has; by default :func:`estimate_tokens`.

        May ask the server. A backend whose count is exact says so in ``counts_tokens`` of its :class:`Capabilities`.
        """
        if request.prompt is not None:
            return estimate_tokens(request.prompt)
        return sum(estimate_tokens(message.text) + MESSAGE_OVERHEAD for message in request.messages)

    async def acount_tokens(self, request: Request) -> int:
        """:meth:`count_tokens` for asyncio."""
        import asyncio

        return await asyncio.to_thread(self.count_tokens, request)

    def context_window(self, profile: Profile) -> int | None:
        """How many tokens prompt and reply can have together on the profile's server, None where it does not say.

        Asked only where ``knows_context_window`` of its :class:`Capabilities` is set and the profile sets no limit
        itself.
        """
        return None

    async def acontext_window(self, profile: Profile) -> int | None:
        """:meth:`context_window` for asyncio."""
        import asyncio

        return await asyncio.to_thread(self.context_window, profile)

    def server_template(self, profile: Profile) -> ServerTemplate | None:
        """The chat template of the profile's server, for ``template = "server"``; None where it tells none."""
        return None

    async def aserver_template(self, profile: Profile) -> ServerTemplate | None:
        """:meth:`server_template` for asyncio."""
        import asyncio

        return await asyncio.to_thread(self.server_template, profile)

    def server_prompt(self, profile: Profile, messages: Sequence[Message]) -> str | None:
        """The prompt that the profile's server makes of *messages*, for comparing; None where it does not tell."""
        return None

    def close(self) -> None:
        """Close connections. The backend can be used again afterwards."""
        return  # an empty body would make it abstract for type checkers

    async def aclose(self) -> None:
        """:meth:`close` for asyncio."""
        self.close()


def _names(names: Collection[str]) -> frozenset[str]:
    return frozenset({names} if isinstance(names, str) else names)


@attrs.frozen
class Capabilities:
    """What a backend's servers can do.

    *endpoints* it speaks; *adds_bos*: the server puts BOS before a prompt; *continues_prefill*: a chat
    endpoint goes on with a trailing assistant message; *max_stop*: how many stop sequences it takes;
    *ends_without_finish*: complete streams may end without finish reason and end marker; *counts_tokens*:
    ``count_tokens`` is exact; *knows_context_window*: ``context_window`` answers; *requires_base_url*: a profile
    must name a server; *constraints*: the names in ``sampler.extra`` that say what a reply may be. As with a
    ``response_format``, such a reply is not continued where it breaks: the server would begin its grammar anew.
    """

    endpoints: frozenset[str] = attrs.field(default=frozenset({"chat", "completions"}), converter=_names)
    adds_bos: bool = True
    continues_prefill: bool = False
    max_stop: int | None = None
    ends_without_finish: bool = False
    counts_tokens: bool = False
    knows_context_window: bool = False
    requires_base_url: bool = False
    constraints: frozenset[str] = attrs.field(default=frozenset(), converter=_names)


@attrs.frozen
class DiscoveredServer:
    """A server found running on this machine.

    *name* is what its profile will be called, *description* what a person is told of it, *settings* the profile's
    table, as the configuration has it.
    """

    name: str
    description: str
    settings: Mapping[str, object]


MESSAGE_OVERHEAD = 8
"""Tokens that a server's chat template adds around a message, at most, in the estimate for chat endpoints."""


def estimate_tokens(text: str) -> int:
    """A conservative estimate of the tokens of *text*, for servers whose tokenizer cannot be asked.

    Three letters or blanks make a token, any other character is one by itself. English comes out a third too
    high with current tokenizers; digits, code and other scripts are near the worst of them.
    """
    wordlike = len(_WORDLIKE.findall(text))
    return math.ceil(wordlike / 3) + len(text) - wordlike


BackendFactory: TypeAlias = Callable[[], Backend]


@attrs.frozen
class BackendSpec:
    """A backend as a plugin offers it.

    *name* is what profiles call it, *description* a line for people, which ``roleforge-llm init`` shows. *factory* is
    a callable without arguments or ``"package.module:Class"``, which is imported when the backend is first used:
    listing imports nothing heavy.
    *capabilities* may depend on the profile. *discover* looks for running servers on this machine, for
    ``roleforge-llm init``. *check* tells what is wrong with a profile for this backend, each with its path within
    the profile (``sampler.extra.mirostat``): such a profile is refused before anything is sent.
    """

    name: str
    factory: BackendFactory | str
    capabilities: Capabilities | Callable[[Profile], Capabilities] = Capabilities()
    discover: Callable[[], Iterable[DiscoveredServer]] | None = None
    description: str = ""
    check: Callable[[Profile], Iterable[Fault]] | None = None

    def capabilities_for(self, profile: Profile) -> Capabilities:
        """What the server behind *profile* can do; the profile's own ``chat_prefill`` wins."""
        found = self.capabilities(profile) if callable(self.capabilities) else self.capabilities
        if profile.chat_prefill is not None:
            found = attrs.evolve(found, continues_prefill=profile.chat_prefill)
        return found
