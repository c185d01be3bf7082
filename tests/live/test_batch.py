"""A batch over real servers, one of which dies under it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

import roleforge_llm as rf
from roleforge_llm.config import parse_config
from roleforge_llm.testing import no_waiting

pytestmark = pytest.mark.live

Cases: TypeAlias = Callable[[str], list[Any]]
Start: TypeAlias = Callable[[], Any]

ROWS = 60


@pytest.mark.parametrize("concurrency", [8, "auto"])
def test_the_embedded_engine_takes_over_when_the_server_dies_and_no_row_is_lost(
    start: Start, known_good: Cases, concurrency: Any
) -> None:
    server = start()
    embedded = {"backend": "llamacpp", "model": "canary", "template": "alpaca", "sampler": {"temperature": 0}}
    config = parse_config(
        {
            "profiles": {
                "server": server.profile(template="chatml", fallbackProfiles=["embedded"]),
                "embedded": embedded,
            }
        }
    )
    messages = known_good("alpaca")[0].messages

    async def run() -> tuple[dict[str, str], list[rf.BatchResult]]:
        async with rf.AsyncClient(config) as client:
            expected = {name: (await client.complete(messages, name)).text for name in config.profiles}
            results = []
            rows = ({"id": number, "messages": messages} for number in range(ROWS))
            async with client.batch(rows, concurrency=concurrency, limits={"embedded": 4}) as batch:
                async for result in batch:
                    results += [result]
                    if len(results) == 10:
                        await asyncio.to_thread(server.kill)
            return expected, results

    with no_waiting():
        expected, results = asyncio.run(run())
    assert Counter(result.id for result in results) == Counter(range(ROWS))
    assert [result.error for result in results if not result.ok] == []
    answered = Counter(result.completion.profile for result in results if result.completion)
    assert answered["server"] >= 10
    assert answered["embedded"] >= 20
    assert all(each.text == expected[each.profile] for result in results if (each := result.completion))
