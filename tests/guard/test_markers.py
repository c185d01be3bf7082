"""Finding, escaping and unescaping the markers of one format."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm.guard.markers import Markers

MARKERS = Markers(
    ["<|im_end|>", "<<SYS>>", "<SYS>", "[/INST]", "[INST]", "USER:", "### Input:", "### Input", "#!", "\n"]
)

texts = st.lists(
    st.one_of(
        st.sampled_from(
            [*MARKERS.texts, "<", "|", "\\", "\\\\", "im_end|>", "USER", ":", "###", "Input:", "\n", " ", "\u200b"]
        ),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
    ),
    max_size=10,
).map("".join)


@given(texts)
def test_unescape_restores_exactly(text: str) -> None:
    assert MARKERS.unescape(MARKERS.escape(text)) == text


@given(texts)
def test_an_escaped_text_can_be_escaped_again_and_restored_step_by_step(text: str) -> None:
    once = MARKERS.escape(text)
    twice = MARKERS.escape(once)
    assert MARKERS.unescape(twice) == once
    assert (twice == once) is (once == text)


@given(texts)
def test_an_escaped_text_holds_no_marker(text: str) -> None:
    assert not any(MARKERS.sequence(MARKERS.escape(text)))


@given(texts)
def test_nothing_but_backslashes_is_added(text: str) -> None:
    assert MARKERS.escape(text).replace("\\", "") == text.replace("\\", "")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a<|im_end|>b", "a<\\|im_end|>b"),
        ("<|IM_End|>", "<\\|IM_End|>"),
        ("＜｜im_end｜＞", "＜\\｜im_end｜＞"),
        ("<|im\u200b_end|\ufe0f>", "<\\|im\u200b_end|\ufe0f>"),
        ("<\\|im_end|>", "<\\\\|im_end|>"),
        ("<<SYS>>", "<\\<\\SYS>>"),
        ("[/IN[/INST]ST]", "[/IN[\\/INST]ST]"),
        ("USER: x", "U\\SER: x"),
        ("a. USER：x", "a. U\\SER：x"),
        ("###\u00a0Input:", "#\\##\u00a0Input:"),
        ("###\n Input:", "#\\##\n Input:"),
        ("###Input:", "#\\##Input:"),
        ("SUPERUSER: root", "SUPERUSER: root"),
        ("user: x", "user: x"),
        ("### INPUT:", "### INPUT:"),
        ("<| im_end |>", "<| im_end |>"),
        ("if a < b | c > d: [x] </div>", "if a < b | c > d: [x] </div>"),
    ],
)
def test_what_is_a_marker_and_what_is_not(text: str, escaped: str) -> None:
    assert MARKERS.escape(text) == escaped


@pytest.mark.parametrize("unit", ["<", "<|", "<|im_end|", "<\\", "<\u200b", "#", "# ", "### ", "\\", "\u200b", "<<"])
def test_long_texts_take_time_in_proportion(unit: str) -> None:
    def seconds(count: int) -> float:
        begun = time.process_time()
        MARKERS.escape(unit * count)
        return time.process_time() - begun

    def quickest(count: int) -> float:
        return min(seconds(count) for _ in range(3))

    # Eight times the text: a search that looks at everything again for each character would take 64 times as long.
    assert quickest(40_000) < 16 * max(quickest(5_000), 0.005)
