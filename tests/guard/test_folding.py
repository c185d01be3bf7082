"""What counts as a written form of a character."""

import sys
import unicodedata

import pytest

from roleforge_llm.guard.folding import fold, fold_case, variants


@pytest.mark.parametrize("caseless", [True, False])
def test_every_character_of_unicode_that_folds_to_ascii_is_known(caseless: bool) -> None:
    missing = []
    for point in (*range(0x20, 0xD800), *range(0xE000, sys.maxunicode + 1)):
        character = chr(point)
        view = unicodedata.normalize("NFKD", character)
        if caseless:
            view = unicodedata.normalize("NFKD", view.casefold())
        missing += [
            character for part in view if "!" <= part <= "~" and character not in variants(part, caseless=caseless)
        ]
    assert not missing


@pytest.mark.parametrize(
    ("character", "view"),
    [
        ("Ａ", "A"),
        ("ﬆ", "st"),
        ("\u00a0", " "),
        ("\n", " "),
        ("\u200b", ""),
        ("\ufe0f", ""),
        ("\u3164", ""),
        ("é", "e"),
    ],
)
def test_compatibility_forms_are_folded_and_invisible_characters_dropped(character: str, view: str) -> None:
    assert fold(character) == view


def test_case_is_folded_only_where_asked() -> None:
    assert (fold("Ａ"), fold_case("Ａ"), fold_case("ß")) == ("A", "a", "ss")
