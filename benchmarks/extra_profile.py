"""A further profile on an origin that is in use already, and a further client in the same process.

    python benchmarks/extra_profile.py

The SDK makes a client, and reads the certificates again. Ours makes all of it anew, more than an extra profile needs:
a configuration, a client, its first request, and the connection pool that the request would use. Nothing is sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from conversations import conversation
from harness import Contender, Figure, Row, Work, compare, main, repeated
from peers import KEY, MODEL, profile

URL = "https://127.0.0.1:9/v1"


def rows() -> Iterator[Row]:
    """The one row, in milliseconds."""
    row = compare(
        "an extra profile on an origin in use",
        against=Contender("another OpenAI()", sdk, "openai"),
        ours=Contender("roleforge-llm", ours, "roleforge-llm"),
    )
    yield Row(row.what, _milliseconds(row.against), _milliseconds(row.ours), target=1.0)


def _milliseconds(figure: Figure) -> Figure:
    assert figure.seconds is not None
    middle = figure.seconds * 1e3
    low, high = middle * figure.low / figure.middle, middle * figure.high / figure.middle
    return Figure(figure.title, middle, low, high, unit="ms")


def sdk() -> Work:
    """A client for each set of settings."""
    import openai

    return repeated(lambda: openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0))


def ours() -> Work:
    """A configuration with a profile of a new name, and what its request would be."""
    import roleforge_llm
    from roleforge_llm_builtin.openai_compatible.sdk import Sdk

    messages, numbers = conversation(2), itertools.count()

    def another() -> None:
        name = f"p{next(numbers)}"
        with roleforge_llm.Client({"profiles": {name: profile(URL, model=MODEL)}}) as client:
            client.explain(messages, name)
        Sdk(URL.removesuffix("/v1")).close()

    another()  # from here on the origin is in use
    return repeated(another)


if __name__ == "__main__":
    main(rows)
