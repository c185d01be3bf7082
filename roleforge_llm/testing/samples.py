"""Conversations to try a format on: every shape, difficult texts, and the smallest one that still does something."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence

import attrs

from roleforge_llm.messages import Conversation, Message, conversation
from roleforge_llm.testing.conformance import shown

__all__ = [
    "Sample",
    "dialogues",
    "every",
    "few",
    "framed",
    "is_framed",
    "kept",
    "one",
    "smallest",
    "spaced",
    "unframed",
]

SHAPES = (
    ("user",),
    ("system", "user"),
    ("assistant", "user"),
    ("system", "assistant", "user"),
    ("user", "assistant", "user"),
    ("system", "user", "assistant", "user", "assistant", "user"),
    ("user", "user"),
    ("assistant", "assistant", "user"),
    ("user", "assistant", "assistant", "user"),
    ("system", "system", "user"),
    ("user", "system"),
    ("user", "system", "user"),
    ("user", "assistant", "system", "user"),
    ("user", "assistant", "user", "system"),
    ("system",),
    ("assistant",),
    ("system", "assistant"),
    ("user", "assistant"),
    ("system", "user", "assistant"),
)
"""Roles in every order that an application comes up with; a closing assistant message is the prefill."""

TEXTS = (
    "a",
    "",
    " ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "two words",
    "one\ntwo",
    "{{ user_message }}",
    "{% endfor %}",
    "{# none #}",
    "}}",
    "{0} %s",
    "\\n \\",
    "<b> & 'c' \"d\"",
    "é ñ",
    "日本語",
    "👩\u200d👧",
    "\u2028\ufeff",
    "mañana\u0301",
    "1234567890" * 30,
)
"""What messages say: nothing, white space, template syntax, other scripts, much."""

_LONG = "word " * 20_000
_ROLES = ("system", "user", "assistant")
_FRAMED = re.compile(r"\((\d+):(.*):\1\)", re.DOTALL)


@attrs.frozen
class Sample:
    """A conversation for a format. A closing assistant message is the prefill."""

    messages: tuple[Message, ...]

    @classmethod
    def of(cls, *said: tuple[str, str]) -> Sample:
        """From (role, text)."""
        return cls(tuple(Message(role, text) for role, text in said))

    @property
    def conversation(self) -> Conversation:
        """As the host gives it to a format."""
        return conversation(self.messages)

    @property
    def texts(self) -> tuple[str, ...]:
        """What each message says."""
        return tuple(message.text for message in self.messages)

    @property
    def roles(self) -> tuple[str, ...]:
        """Who says it."""
        return tuple(message.role for message in self.messages)

    def __str__(self) -> str:
        return ", ".join(f"{message.role} {shown(message.text)}" for message in self.messages)


def framed(number: int, text: str) -> str:
    """*text* in a frame that stands nowhere else and that no format trims."""
    return f"({number}:{text}:{number})"


def is_framed(text: str) -> bool:
    """Whether *text* stands in such a frame."""
    return _FRAMED.fullmatch(text) is not None


def drawn(count: int, roles: Sequence[str] = _ROLES) -> Iterator[Sample]:
    """So many conversations of *roles*, difficult texts in frames: the same ones each time."""
    draw = random.Random(count)  # noqa: S311  # for variety
    for _ in range(count):
        length = draw.randint(1, 7)
        yield Sample.of(*((draw.choice(roles), framed(at, _text(draw))) for at in range(length)))


def _text(draw: random.Random) -> str:
    return "".join(draw.choices(TEXTS, k=draw.randint(1, 3)))


def plain(*shapes: tuple[str, ...]) -> Iterator[Sample]:
    """Conversations of these *shapes*."""
    for roles in shapes:
        yield Sample.of(*((role, framed(at, "a")) for at, role in enumerate(roles)))


def every(count: int) -> Iterator[Sample]:
    """Every shape, and *count* more."""
    yield from plain(*SHAPES)
    yield from drawn(count)


def unframed(count: int) -> Iterator[Sample]:
    """Also what says nothing, and very much."""
    yield from every(count)
    for text in TEXTS:
        yield Sample.of(("system", text), ("user", text), ("assistant", text), ("user", text), ("assistant", text))
        yield Sample.of(("user", text))
        yield Sample.of(("assistant", text), ("user", text))
    yield Sample.of(("user", _LONG))


def kept(count: int) -> Iterator[Sample]:
    """Texts that must be kept: also each difficult one alone, and very much."""
    yield from every(count)
    yield from (Sample.of(("user", framed(0, text))) for text in TEXTS)
    yield Sample.of(("user", framed(0, _LONG)))


def spaced(_: int) -> Iterator[Sample]:
    """White space around texts."""
    for space in (" ", "\n", "\n\n "):
        for roles in (("user",), ("system", "user"), ("user", "assistant", "user")):
            yield Sample.of(*((role, f"{space}{framed(at, 'a')}{space}") for at, role in enumerate(roles)))


def dialogues(count: int) -> Iterator[Sample]:
    """At most an opening system message, a user's turn at the end."""
    for sample in (*plain(*SHAPES), *drawn(count, ("user", "assistant"))):
        texts = [(role, text) for role, text in zip(sample.roles, sample.texts, strict=True)]
        yield Sample.of(*texts, ("user", framed(len(texts), "b")))


def one(_: int) -> Iterator[Sample]:
    """A conversation of one message."""
    return plain(("user",))


def few(_: int) -> Iterator[Sample]:
    """Some shapes."""
    return plain(*SHAPES[:6])


def smallest(sample: Sample, breaks: Callable[[Sample], bool]) -> Sample:
    """The smallest conversation found on the way from *sample* that still *breaks* something."""
    while (smaller := next(filter(breaks, _smaller(sample)), None)) is not None:
        sample = smaller
    return sample


def _smaller(sample: Sample) -> Iterator[Sample]:
    messages = sample.messages
    for at in range(len(messages)):
        if len(messages) > 1:
            yield Sample((*messages[:at], *messages[at + 1 :]))
    for at, message in enumerate(messages):
        for text in _shorter(message.text):
            yield Sample((*messages[:at], attrs.evolve(message, content=text), *messages[at + 1 :]))


def _shorter(text: str) -> Iterator[str]:
    """Shorter texts, in a frame where *text* is."""
    framed_text = _FRAMED.fullmatch(text)
    start, end = framed_text.span(2) if framed_text else (0, len(text))
    inner = text[start:end]
    for cut in dict.fromkeys(("a", inner[: len(inner) // 2], inner[len(inner) // 2 :], inner[1:], inner[:-1])):
        if len(cut) < len(inner) and (cut or not framed_text):
            yield text[:start] + cut + text[end:]
