"""Finding servers that run on this machine."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing

from roleforge_llm.backends import DiscoveredServer

__all__ = ["PORTS", "discover"]

PORTS = {
    5001: ("koboldcpp", "KoboldCPP"),
    8080: ("llamacpp", "llama.cpp server"),
    8000: ("vllm", "vLLM"),
    11434: ("ollama", "Ollama"),
    1234: ("lmstudio", "LM Studio"),
    5000: ("textgen", "text-generation-webui or TabbyAPI"),
}
"""The port that each server uses unless told otherwise, with a name for its profile and the server's own."""

_SECONDS = 0.3
_MAX_LIST = 1024 * 1024


def discover(ports: dict[int, tuple[str, str]] = PORTS) -> Iterator[DiscoveredServer]:
    """The OpenAI-compatible servers that answer on *ports* of this machine, asked for their models."""
    for port, (name, product) in ports.items():
        if (models := _models(port)) is None:
            continue
        settings: dict[str, object] = {"baseURL": f"http://127.0.0.1:{port}/v1"}
        if models:
            settings["model"] = models[0]
        described = f"{product} on port {port}" + (f" with {', '.join(models[:3])}" if models else "")
        yield DiscoveredServer(name, described, settings)


def _models(port: int) -> list[str] | None:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)) as connection:
            connection.request("GET", "/v1/models", headers={"Accept": "application/json"})
            reply = connection.getresponse()
            listing = json.loads(reply.read(_MAX_LIST)) if reply.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    data = listing.get("data") if isinstance(listing, dict) else None
    if not isinstance(data, list):
        return None
    return [model["id"] for model in data if isinstance(model, dict) and isinstance(model.get("id"), str)]
