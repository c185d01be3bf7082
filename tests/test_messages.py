"""Messages as values."""

import pytest

from roleforge_llm import Message

PARTS = [{"type": "text", "text": "Hi"}]


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (Message("user", "Hi"), Message("user", "Hi")),
        (Message("user", "Hi", extra={"x": 1}), Message("user", "Hi", extra={"x": 1.0})),
        (Message("user", PARTS), Message("user", list(PARTS))),
        (
            Message("assistant", None, extra={"tool_calls": [{}]}),
            Message("assistant", None, extra={"tool_calls": [{}]}),
        ),
    ],
)
def test_equal_messages_have_equal_hashes(one: Message, same: Message) -> None:
    assert one == same
    assert len({one, same}) == 1


def test_messages_of_different_text_are_different_members() -> None:
    assert len({Message("user", str(number)) for number in range(9)}) == 9
    assert len({Message("user", "Hi", extra={"x": number}) for number in range(9)}) == 9
