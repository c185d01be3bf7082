"""Readers of finished prompts, which know nothing of how they were guarded.

What a format puts around messages is learned from a harmless conversation of the same shape, rendered by the
format alone. A reader then takes the real prompt apart at exactly these texts, or counts the markers in it as
a lenient parser or a tokenizer does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import NFKC

from roleforge_llm import Conversation, Message, PromptFormat
from roleforge_llm.formats.shapes import shape

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff]"
)


def harmless(index: int, text: str) -> str:
    """A text that ends like *text*, in a word or not."""
    if not (said := text.rstrip()):
        return text
    return f"qz{index}zq" + ("" if said[-1].isalnum() or said[-1] == "_" else ".")


def trims(form: PromptFormat) -> bool:
    """Whether the format trims what some of the messages say."""
    said = [Message(role, f"  qz{role}zq  ") for role in ("user", "assistant", "user", "assistant")]
    text = form.render(Conversation((Message("system", "  qzszq  "), *said), "  qzpzq  "))
    return text.count("  qz") < 6 or text.count("zq  ") < 6


def turns(form: PromptFormat, conversation: Conversation) -> list[Message]:
    """The messages as the format joins them."""
    if getattr(form, "dialect", "native") == "hf":
        return list(conversation.messages)
    shaped = shape(conversation.messages, form.system_turns)["messages"]
    return [Message.from_dict(turn) for turn in shaped if isinstance(turn, dict)]


def around(form: PromptFormat, messages: Sequence[Message], prefill: str) -> tuple[list[str], list[str]]:
    """The texts around the messages, and what stands between them, joined where no marker separates them."""
    said = [*(message.text for message in messages), prefill]
    plain = [Message(message.role, harmless(index, message.text)) for index, message in enumerate(messages)]
    text = form.render(Conversation(tuple(plain), harmless(len(messages), prefill)))
    pieces = re.split(r"qz(\d+)zq\.?", text)
    literals = [pieces[0]]
    contents: list[str] = []
    for number, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        content = said[int(number)]
        if contents and not any(marker.strip() in literals[-1] for marker in form.control_tokens):
            content = contents.pop() + literals.pop() + content
        contents.append(content)
        literals.append(literal)
    return literals, contents


def exact(text: str, literals: Sequence[str]) -> list[str]:
    """What stands between *literals*: each ends at the first occurrence of the next one."""
    assert text.startswith(literals[0])
    at, found = len(literals[0]), []
    for literal in literals[1:-1]:
        end = text.index(literal, at)
        found.append(text[at:end])
        at = end + len(literal)
    end = len(text) - len(literals[-1])
    assert text.endswith(literals[-1])
    return [*found, text[at:end]] if len(literals) > 1 else []


def lenient(text: str, markers: Sequence[str]) -> list[str]:
    """The markers in *text*, in order, for a parser that forgives width, invisible characters and, in tokens, case."""
    view = _INVISIBLE.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))
    words = re.sub(r"\s+", " ", view)
    found = []
    for marker in markers:
        folded = unicodedata.normalize("NFKC", marker)
        if is_token(marker):
            found += [(match.start(), marker) for match in re.finditer(re.escape(folded.casefold()), view.casefold())]
        else:
            begin = r"(?<!\w)" if folded[0].isalnum() else ""
            found += [(match.start(), marker) for match in re.finditer(begin + re.escape(folded), words)]
    return sorted(marker for _, marker in found)


def is_token(marker: str) -> bool:
    return marker[0] in "<[" and marker[-1] in ">]"


@cache
def tokenizers(markers: tuple[str, ...]) -> list[Tokenizer]:
    """A tokenizer that takes markers as they are written, and one that normalises before it looks for them."""
    tokens = [marker for marker in markers if is_token(marker)]
    plain, normalising = (Tokenizer(BPE(vocab={"u": 0}, merges=[], unk_token="u")) for _ in range(2))
    plain.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in tokens])
    normalising.normalizer = NFKC()
    normalising.add_tokens([AddedToken(token, normalized=True) for token in tokens])
    return [plain, normalising]


def tokens(text: str, markers: Sequence[str]) -> list[list[int]]:
    """The markers that each tokenizer finds, in order."""
    return [[number for number in tokenizer.encode(text).ids if number] for tokenizer in tokenizers(tuple(markers))]
