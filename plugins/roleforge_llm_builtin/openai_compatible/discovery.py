"""Finding servers that run on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from types import MappingProxyType

from roleforge_llm.backends import DiscoveredServer
from roleforge_llm.errors import BackendError
from roleforge_llm.profiles import Timeouts

__all__ = ["PORTS", "discover"]

PORTS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        5001: ("koboldcpp", "KoboldCPP"),
        8080: ("llamacpp", "llama.cpp server"),
        8000: ("vllm", "vLLM"),
        11434: ("ollama", "Ollama"),
        1234: ("lmstudio", "LM Studio"),
        5000: ("textgen", "text-generation-webui or TabbyAPI"),
    }
)
"""The port that each server uses unless told otherwise, with a name for its profile and the server's own."""

_LIMITS = Timeouts(connect=0.3, first_token=0.5, idle=0.5, attempt=1.0)


def discover(ports: Mapping[int, tuple[str, str]] = PORTS) -> Iterator[DiscoveredServer]:
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
        listing = _listing(f"http://127.0.0.1:{port}/v1/models")
    except BackendError:
        return None
    data = listing.get("data") if isinstance(listing, Mapping) else None
    if not isinstance(data, list):
        return None
    return [model["id"] for model in data if isinstance(model, Mapping) and isinstance(model.get("id"), str)]


def _listing(url: str) -> object:
    from roleforge_llm.transport import Call, http_client, opened, read_json

    call = Call(url, _LIMITS)
    with closing(http_client(call.origin)) as client:
        request = client.build_request("GET", url, headers={"accept-encoding": "identity"})
        with opened(call, lambda: client.send(request, stream=True)) as body:
            return read_json(b"".join(body))
