"""What a model's template does not say is found by rendering marked texts with it."""

import pytest

from roleforge_llm.formats import TemplateFormat
from roleforge_llm.formats.probing import Ending, ending_of, marked, probe, split_at
from tests.formats.models import PIPES, WORDS


def form(text: str) -> TemplateFormat:
    return TemplateFormat.from_text("mine", text, dialect="hf")


def turns(reply_end: str, user: str = "<u>", reply: str = "<a>") -> TemplateFormat:
    """A format in which *reply_end* follows each reply."""
    return form(
        "{% for m in messages %}{% if m.role == 'user' %}"
        + user
        + "{{ m.content }}{% else %}"
        + reply
        + "{{ m.content }}"
        f"{{{{ {reply_end!r} }}}}{{% endif %}}{{% endfor %}}" + reply
    )


def test_the_surroundings_of_contents_are_found() -> None:
    around = probe(form(PIPES))
    assert around is not None
    assert around.before_reply == "<|end|>\n<|assistant|>\n"
    assert around.after_reply == "<|end|>\n<|user|>\n"
    assert around.closing == "<|end|>\n<|assistant|>\n"


@pytest.mark.parametrize(
    "text", ["{{ raise_exception('no') }}", "nothing", "{% for m in messages * 2 %}{{ m.content }}{% endfor %}"]
)
def test_a_format_that_does_not_show_the_texts_cannot_be_probed(text: str) -> None:
    assert probe(form(text)) is None


@pytest.mark.parametrize(
    ("after", "ending"),
    [
        ("<|im_end|>\n", Ending(("<|im_end|>", "<u>"))),
        ("</s><s>", Ending(("</s>", "<s>"))),
        (" </s>", Ending(("</s>", "<u>"), " ")),
        ("<｜end▁of▁sentence｜>", Ending(("<｜end▁of▁sentence｜>", "<u>"))),
        ("[/END]\n", Ending(("[/END]", "<u>"))),
        ("", Ending(("<u>",))),
    ],
)
def test_markers_after_a_reply_end_it(after: str, ending: Ending) -> None:
    assert ending_of(probe(turns(after))) == ending


@pytest.mark.parametrize(
    ("after", "user", "ending"),
    [
        ("\n", "USER: ", Ending(("\nUSER:",))),
        ("\n\n", "### Human:\n", Ending(("\n### Human:",), "\n")),
        ("</s>\n", "USER: ", Ending(("</s>", "\nUSER:"))),
        ("</s>", "USER: ", Ending(("</s>",))),
        ("\n", "[Round {{ loop.index }}] ", Ending(("\n[Round",))),
    ],
)
def test_words_end_a_reply_only_at_the_beginning_of_a_line(after: str, user: str, ending: Ending) -> None:
    """Without the newline they would cut a reply that mentions them."""
    assert ending_of(probe(turns(after, user))) == ending


def test_the_end_of_text_is_a_stop_sequence_where_the_template_writes_it_or_shows_no_other() -> None:
    assert ending_of(probe(turns("<end></s>")), "</s>").stop == ("<end>", "</s>")
    assert ending_of(probe(turns("<end>")), "</s>").stop == ("<end>", "<u>")
    assert ending_of(None, "</s>").stop == ("</s>",)
    assert ending_of(None).stop == ()


def test_a_models_own_tokens_are_markers_of_any_shape() -> None:
    assert ending_of(probe(turns("§fin§\n")), "", ["§fin§"]).stop == ("§fin§", "<u>")


def test_white_space_that_the_model_writes_first_is_the_reply_prefix() -> None:
    words, pipes = probe(form(WORDS)), probe(form(PIPES))
    assert words is not None
    assert pipes is not None
    assert (words.reply_prefix, pipes.reply_prefix) == (" ", "")


def test_texts_are_split_only_where_each_stands_once_and_in_order() -> None:
    assert split_at("-a-b+", ["a", "b"]) == ["-", "-", "+"]
    assert split_at("b a", ["a", "b"]) is None
    assert split_at("a a b", ["a", "b"]) is None
    assert split_at("a", ["a", "b"]) is None


def test_marked_texts_differ() -> None:
    messages = marked("user", "assistant", "user")
    assert len({message.text for message in messages}) == 3
