"""HTTP for authors of backends: bounded in time and size, with every failure an error of ours.

A backend for a server with an HTTP interface of its own is built like this::

    class MyBackend(Backend):
        def __init__(self):
            self._clients = PerProcess(http_client)

        def complete(self, request):
            profile = request.profile
            url = f"{profile.base_url}/generate"
            call = Call(url, profile.timeouts, request.deadline, profile.secrets())
            client = self._clients.get(call.origin)
            message = client.build_request("POST", url, headers=headers_of(profile), content=encoded({...}))
            send = lambda: client.send(message, stream=True)
            with opened(call, send) as body:
                document = read_json(b"".join(body))

        def stream(self, request):
            ...
            with opened(call, send) as body:
                for piece in body:
                    yield Chunk(...)
                    call.clock.progress()  # else the whole stream has to come within first_token

        def close(self):
            for client in self._clients.drain():
                client.close()

What it does: one pool of connections for each origin, safe with threads, forks and several event loops; the
limits of a profile's ``timeouts`` and the deadline of the call, whatever the server drips (only a name's
look-up in a synchronous call cannot be interrupted); a bounded, decoded body; statuses, error objects and
exceptions of the libraries below as subclasses of :class:`~roleforge_llm.BackendError`; secrets masked in
messages and in the logs of those libraries; no redirects; environment proxies, except for loopback hosts.
"""

from roleforge_llm.transport.bodies import AsyncBody, Body
from roleforge_llm.transport.calls import Call, active, current_call, guard_loggers, origin_of
from roleforge_llm.transport.clocks import Clock
from roleforge_llm.transport.decoding import Decoder
from roleforge_llm.transport.documents import read_json, repair_surrogates, string_of
from roleforge_llm.transport.events import EventSplitter
from roleforge_llm.transport.exchanges import async_opened, opened
from roleforge_llm.transport.failures import error_of, exception_failure, object_failure, status_failure
from roleforge_llm.transport.masking import Mask, one_line
from roleforge_llm.transport.outgoing import encoded, headers_of
from roleforge_llm.transport.pools import PerLoop, PerProcess, async_http_client, http_client
from roleforge_llm.transport.retry_after import retry_after, should_retry
from roleforge_llm.transport.transports import AsyncTimedTransport, TimedTransport

__all__ = [
    "AsyncBody",
    "AsyncTimedTransport",
    "Body",
    "Call",
    "Clock",
    "Decoder",
    "EventSplitter",
    "Mask",
    "PerLoop",
    "PerProcess",
    "TimedTransport",
    "active",
    "async_http_client",
    "async_opened",
    "current_call",
    "encoded",
    "error_of",
    "exception_failure",
    "guard_loggers",
    "headers_of",
    "http_client",
    "object_failure",
    "one_line",
    "opened",
    "origin_of",
    "read_json",
    "repair_surrogates",
    "retry_after",
    "should_retry",
    "status_failure",
    "string_of",
]
