"""Tool calls, whole or in fragments."""

from __future__ import annotations

from collections.abc import Mapping

from roleforge_llm.transport import repair_surrogates

__all__ = ["ToolCalls", "listed"]


def listed(value: object) -> tuple[Mapping[str, object], ...]:
    """The tool calls of a whole message."""
    return tuple(call for call in value if isinstance(call, Mapping)) if isinstance(value, list) else ()


class ToolCalls:
    """Puts together the fragments of a stream, which say by their index which call they continue."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, object]] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, value: object) -> bool:
        """Take the ``tool_calls`` of one delta; says whether there were any."""
        fragments = listed(value)
        for fragment in fragments:
            index = fragment.get("index")
            self._merge(index if isinstance(index, int) else len(self._calls), fragment)
        return bool(fragments)

    def _merge(self, index: int, fragment: Mapping[str, object]) -> None:
        call = self._calls.setdefault(index, {"id": "", "type": "function", "function": {}})
        for key in ("id", "type"):
            if isinstance(text := fragment.get(key), str) and text:
                call[key] = text
        function, more = call["function"], fragment.get("function")
        if isinstance(function, dict) and isinstance(more, Mapping):
            if isinstance(name := more.get("name"), str) and name:
                function["name"] = name
            if isinstance(arguments := more.get("arguments"), str):
                function["arguments"] = function.get("arguments", "") + arguments

    def complete(self) -> tuple[Mapping[str, object], ...]:
        """The calls in the order of their indices."""
        for call in self._calls.values():
            function = call["function"]
            if isinstance(function, dict) and "arguments" in function:
                function["arguments"] = repair_surrogates(function["arguments"])
        return tuple(call for _, call in sorted(self._calls.items()))
