"""What a page loads by itself is found, what it only links to is not."""

import pytest

from tests.docs.offline import loaded_from_elsewhere


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<script src="//cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example/x.css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="https://badges.example/x.svg">',
        "<style>@import 'https://fonts.example/x.css';</style>",
        '<p style="background: url(https://x.example/y.png)">',
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(page: str, tmp_path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "page.html").write_text(page)
    (found,) = loaded_from_elsewhere(tmp_path)
    assert "page.html" in found
    assert ".example" in found


def test_fonts_in_styles_are_found(tmp_path) -> None:
    (tmp_path / "style.css").write_text('@font-face { src: url("https://fonts.example/x.woff2") }')
    assert len(loaded_from_elsewhere(tmp_path)) == 1


def test_links_and_own_files_are_fine(tmp_path) -> None:
    (tmp_path / "page.html").write_text(
        '<link rel="stylesheet" href="_static/x.css"><link rel="canonical" href="https://x.example/">'
        '<script src="../_static/x.js"></script><a href="https://x.example/">x</a>'
    )
    assert loaded_from_elsewhere(tmp_path) == []
