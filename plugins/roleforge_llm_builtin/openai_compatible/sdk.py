"""The openai SDK as it is used here: it builds requests and sends them; retries and errors are ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx2
import openai

from roleforge_llm.errors import BackendError, InvalidRequest
from roleforge_llm.transport import (
    Call,
    async_http_client,
    current_call,
    exception_failure,
    guard_loggers,
    http_client,
    status_failure,
)

__all__ = ["AsyncSdk", "Sdk", "sdk_failure"]

# The SDK reads OPENAI_* variables of the environment: keys, organisation, project, extra headers. None of
# them may reach a server that the profile did not name them for, so every value is given here.
_NO_KEY: Final = "none"

guard_loggers("openai._base_client")


def sdk_failure(exc: openai.OpenAIError, call: Call) -> BackendError:
    """The error for an exception of the SDK itself; the transport leaves it little to raise."""
    if isinstance(exc, openai.APIStatusError):
        return status_failure(exc.status_code, exc.response.headers, b"", call)
    if isinstance(exc, openai.APITimeoutError):
        return call.clock.timeout()
    if isinstance(exc, openai.APIConnectionError):
        return exception_failure(exc.__cause__ if isinstance(exc.__cause__, Exception) else ConnectionError(), call)
    return InvalidRequest(
        f"the openai package refuses the request to {call.origin} ({type(exc).__name__})", kind="unsendable"
    )


class Sdk(openai.OpenAI):
    """A client for one origin. It adds no headers of its own, and takes none from the environment."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            api_key=_NO_KEY,
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=origin,
            max_retries=0,
            http_client=http_client(origin),
        )

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        """None: a request has the profile's headers and no others."""
        return {}

    def send(self, url: str, headers: Mapping[str, str], content: bytes) -> httpx2.Response:
        """Post *content* and give the response unread."""
        try:
            return self.post(
                url,
                cast_to=httpx2.Response,
                content=content,
                options={"headers": _exactly(headers), "follow_redirects": False, "max_retries": 0},
                stream=True,
                stream_cls=openai.Stream[object],
            )  # type: ignore[return-value]  # with this cast_to the SDK gives the response, never a Stream
        except openai.OpenAIError as exc:
            raise sdk_failure(exc, current_call()) from None


class AsyncSdk(openai.AsyncOpenAI):
    """:class:`Sdk` for asyncio."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            api_key=_NO_KEY,
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=origin,
            max_retries=0,
            http_client=async_http_client(origin),
        )

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        """None: a request has the profile's headers and no others."""
        return {}

    async def send(self, url: str, headers: Mapping[str, str], content: bytes) -> httpx2.Response:
        """Post *content* and give the response unread."""
        try:
            return await self.post(
                url,
                cast_to=httpx2.Response,
                content=content,
                options={"headers": _exactly(headers), "follow_redirects": False, "max_retries": 0},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )  # type: ignore[return-value]  # with this cast_to the SDK gives the response, never a stream
        except openai.OpenAIError as exc:
            raise sdk_failure(exc, current_call()) from None


def _exactly(headers: Mapping[str, str]) -> dict[str, str | openai.Omit]:
    omitted = openai.Omit()
    return {
        "authorization": omitted,
        "x-stainless-retry-count": omitted,
        "x-stainless-read-timeout": omitted,
        **headers,
    }
