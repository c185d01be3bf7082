"""A server's own chat template, as llama.cpp's server and those that follow it tell it beside OpenAI's endpoints.

Source: the README of llama.cpp's server, "GET /props" and "POST /apply-template".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import attrs

from roleforge_llm.backends import ServerTemplate
from roleforge_llm.errors import NotFound
from roleforge_llm.messages import Message
from roleforge_llm.profiles import Profile
from roleforge_llm.transport import Call, PerProcess, encoded, headers_of, http_client, opened, read_json, string_of

__all__ = ["ServerTemplates"]

_SECONDS = 15
"""The longest wait for an answer: nothing is generated for it."""


class ServerTemplates:
    """Asks servers for the templates of their models. One object for all threads."""

    def __init__(self) -> None:
        self._clients = PerProcess(http_client)

    def template(self, profile: Profile) -> ServerTemplate | None:
        """What the server's ``/props`` says; None where there is no such endpoint, or no template in it."""
        props = self._ask(profile, "/props")
        if not (text := string_of(props, "chat_template")):
            return None
        return ServerTemplate(
            text,
            bos_token=string_of(props, "bos_token"),
            eos_token=string_of(props, "eos_token"),
            tool_text=string_of(props, "chat_template_tool_use"),
        )

    def prompt(self, profile: Profile, messages: Sequence[Message]) -> str | None:
        """What the server's ``/apply-template`` makes of *messages*; None where there is no such endpoint."""
        body = {"messages": [message.to_dict() for message in messages]}
        return string_of(self._ask(profile, "/apply-template", body), "prompt") or None

    def close(self) -> None:
        """Close the connections of this process."""
        for client in self._clients.drain():
            client.close()

    def _ask(self, profile: Profile, path: str, body: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """The JSON object at *path* of the server; empty where the server does not know the path."""
        waits = [limit for limit in (profile.timeouts.first_token, _SECONDS) if limit is not None]
        timeouts = attrs.evolve(profile.timeouts, first_token=min(waits))
        call = Call(_root(profile) + path, timeouts, secrets=profile.secrets())
        client = self._clients.get(call.origin)
        method, content = ("GET", None) if body is None else ("POST", encoded(body))
        request = client.build_request(method, call.url, headers=headers_of(profile), content=content)
        try:
            with opened(call, partial(client.send, request, stream=True)) as reply:
                found = read_json(b"".join(reply))
        except NotFound:
            return {}
        return found if isinstance(found, Mapping) else {}


def _root(profile: Profile) -> str:
    """The server's address without the path of its OpenAI-compatible endpoints."""
    base = urlsplit(profile.base_url or "")
    path = base.path.rstrip("/").removesuffix("/v1")
    return urlunsplit(base._replace(path=path, query="", fragment=""))
