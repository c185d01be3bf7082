"""What a backend says of itself."""

import pytest

from roleforge_llm import Capabilities


@pytest.mark.parametrize("endpoints", [{"chat"}, ["chat"], ("chat", "chat"), frozenset({"chat"}), "chat"])
def test_endpoints_are_taken_in_any_collection(endpoints: object) -> None:
    assert Capabilities(endpoints=endpoints).endpoints == frozenset({"chat"})  # type: ignore[arg-type]  # on purpose
