"""What holds no marker of a format is rendered as if there were no guard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roleforge_llm import Message, PromptFormat
from roleforge_llm.messages import conversation
from roleforge_llm.rendering import render_guarded
from tests.guard.formats import FORMATS

every_format = pytest.mark.parametrize("form", FORMATS, ids=[form.name for form in FORMATS])

ORDINARY = {
    "prose": "The superuser said: hello; users, none? “Curly” quotes – and dashes… café, naïve, ﬁne. It's 3 < 4 | 5 > 2.",
    "markdown": "# Title\n\n## Input\n\n* *item* [link](http://x.y/z) `code` <br/>\n\n| a | b |\n|---|---|\n> quoted\n\n```\nx\n```\n###\n",
    "yaml": "---\nname: x\nuser: bob\nlist: [a, b, <c>]\nmore: {k: 'v'} # comment\nanchors: &a\n<<: *a\n",
    "logs": "2026-01-01T00:00:00Z [INFO] user=bob <- 10.0.0.1 \\x00 C:\\Users\\bob |> [ok] </end>\n[WARN] <nil>\n",
    "code": "if (a<b || c>d) { s << 1; x |= y; } // <|> \\n\n<div class='s'>[i][j]</div>\nf a <| b\nvector<int> v; r'\\|'\n",
    "shell": "cat <<EOF > out | grep '[a-z]' \\\n  && echo \"$USER\" # done\n",
    "languages": "日本語のテキスト。 Ｆｕｌｌ ｗｉｄｔｈ． Русский текст. עברית \u200f العربية 👩\u200d👩\u200d👧 한국어",
    "backslashes": "\\ \\\\ \\< \\| \\[ \\# <\\a> \\\\<",
    "blank": " \n\t",
    "empty": "",
}


@every_format
@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_texts_change_nothing(form: PromptFormat, kind: str) -> None:
    text = ORDINARY[kind]
    made = conversation([Message("user", text), Message("assistant", text), Message("user", text)], prefill="So")
    rendered = render_guarded(form, made)
    assert rendered.text == form.render(made)
    assert not rendered.escaped


@every_format
@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0<[U#SAＵ", exclude_categories=["Cs"]), max_size=20),
        min_size=1,
        max_size=5,
    )
)
def test_texts_without_a_beginning_of_a_marker_change_nothing(form: PromptFormat, texts: list[str]) -> None:
    made = conversation([Message("user" if index % 2 == 0 else "assistant", text) for index, text in enumerate(texts)])
    rendered = render_guarded(form, made)
    assert rendered.escaped or rendered.text == form.render(made)
