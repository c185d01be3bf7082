"""The clients: a conversation in, a reply out, through profiles, prompt formats, backends and failure policies."""

from roleforge_llm.client.asynchronous import AsyncClient, AsyncCompletionStream
from roleforge_llm.client.explanation import Explanation, StopOrigin
from roleforge_llm.client.synchronous import Client, CompletionStream

__all__ = ["AsyncClient", "AsyncCompletionStream", "Client", "CompletionStream", "Explanation", "StopOrigin"]
