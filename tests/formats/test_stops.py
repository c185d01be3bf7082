"""Cutting at stop sequences: any text, any stops, any pieces."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roleforge_llm.formats import StopCutter

letters = st.text("ab\n <|é😀", max_size=24)
markers = st.text("ab\n <|é", max_size=5)


Cut = tuple[str, str | None, str]


def cut(text: str, stops: list[str], prefix: str = "", suffix: str = "", complete: bool = True) -> Cut:
    """The definition: what is left of a whole reply, and the stop sequence that ended it."""
    text = text.removeprefix(prefix)
    found = [(text.index(stop), -len(stop), stop) for stop in stops if stop and stop in text]
    if not found:
        return (text.removesuffix(suffix) if complete else text), None, text
    start, _, stop = min(found)
    return text[:start].removesuffix(suffix), stop, text[:start]


def fed(pieces: list[str], stops: list[str], prefix: str = "", suffix: str = "", complete: bool = True) -> Cut:
    cutter = StopCutter(stops, prefix=prefix, suffix=suffix)
    given_out = [cutter.feed(piece) for piece in pieces]
    given_out.append(cutter.finish(complete))
    return "".join(given_out), cutter.matched, cutter.raw


@st.composite
def pieces_of_text(draw: st.DrawFn) -> list[str]:
    text = draw(letters)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(pieces_of_text(), st.lists(markers, max_size=4), markers, markers, st.booleans())
@example(["abc"], ["abcd", "bc"], "", "", True)
@example(["a", "b", "c", "x"], ["abcd", "bc"], "", "", True)
@example([" ", " a\n", "<|"], ["<|"], " ", "\n", False)
@example(["a\n", "\n"], ["b"], "", "\n", True)
def test_the_result_does_not_depend_on_how_the_text_is_cut_into_pieces(
    pieces: list[str], stops: list[str], prefix: str, suffix: str, complete: bool
) -> None:
    assert fed(pieces, stops, prefix, suffix, complete) == cut("".join(pieces), stops, prefix, suffix, complete)


@given(pieces_of_text(), st.lists(markers, max_size=4), markers, markers)
def test_what_was_given_out_early_is_never_taken_back(
    pieces: list[str], stops: list[str], prefix: str, suffix: str
) -> None:
    whole, _, _ = cut("".join(pieces), stops, prefix, suffix)
    cutter = StopCutter(stops, prefix=prefix, suffix=suffix)
    given_out = ""
    for piece in pieces:
        given_out += cutter.feed(piece)
        assert whole.startswith(given_out)


@given(letters, st.lists(markers.filter(bool), min_size=1, max_size=4))
def test_no_stop_sequence_ever_comes_out(text: str, stops: list[str]) -> None:
    out, _, _ = fed(list(text), stops)
    assert not any(stop in out for stop in stops)


@given(pieces_of_text(), st.lists(markers, max_size=3), markers)
def test_raw_is_at_any_time_the_text_received_so_far_without_the_prefix(
    pieces: list[str], stops: list[str], prefix: str
) -> None:
    cutter = StopCutter(stops, prefix=prefix, suffix="\n")
    received = ""
    for piece in pieces:
        cutter.feed(piece)
        received += piece
        if cutter.matched is None:
            assert cutter.raw == received.removeprefix(prefix)


def test_the_earliest_stop_sequence_wins_and_the_longest_of_those_that_begin_there() -> None:
    assert fed(["one<|end|>two<|stop|>"], ["<|stop|>", "<|end|>"])[:2] == ("one", "<|end|>")
    assert fed(["one", "<", "<<", "two"], ["<", "<<<"])[:2] == ("one", "<<<")


def test_text_that_cannot_become_a_stop_sequence_comes_out_at_once() -> None:
    cutter = StopCutter(["\nUSER:", "</s>"])
    assert cutter.feed("Hello") == "Hello"
    assert cutter.feed(" there\nU") == " there"
    assert cutter.feed("nder") == "\nUnder"


def test_nothing_comes_out_after_a_stop_sequence() -> None:
    cutter = StopCutter(["#"])
    assert cutter.feed("a#b") == "a"
    assert cutter.feed("c") == ""
    assert cutter.finish() == ""
    assert cutter.matched == "#"
    assert cutter.raw == "a"


def test_an_empty_stop_sequence_is_none() -> None:
    assert fed(["abc"], [""]) == ("abc", None, "abc")


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [([" Hello"], "Hello"), ([" ", " Hello"], " Hello"), (["Hello"], "Hello"), ([" "], ""), ([], "")],
)
def test_the_prefix_is_removed_once_from_the_very_beginning(pieces: list[str], expected: str) -> None:
    assert fed(pieces, [], prefix=" ")[0] == expected


def test_an_incomplete_prefix_at_the_end_of_a_reply_is_text() -> None:
    assert fed(["<thi"], [], prefix="<think>") == ("<thi", None, "<thi")


@pytest.mark.parametrize(
    ("pieces", "complete", "expected"),
    [
        (["a\n"], True, "a"),
        (["a\n"], False, "a\n"),
        (["a", "\n", "\n"], True, "a\n"),
        (["a\nb"], True, "a\nb"),
        (["a\n#"], True, "a"),
        (["a\n#"], False, "a"),
    ],
)
def test_the_suffix_is_removed_once_from_the_end_of_a_complete_reply(
    pieces: list[str], complete: bool, expected: str
) -> None:
    assert fed(pieces, ["#"], suffix="\n", complete=complete)[0] == expected


def test_a_stop_sequence_that_only_begins_at_the_end_is_text() -> None:
    assert fed(["wait</", "s"], ["</s>"]) == ("wait</s", None, "wait</s")
