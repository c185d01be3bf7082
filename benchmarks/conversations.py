"""The conversations that everything is measured with: ordinary English, typographic prose, source code.

Messages differ from each other, because caches that only see one text would flatter. Each kind has a few dozen
sentences of its own, from which messages of about 60 words are put together, the same ones in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

__all__ = ["KINDS", "conversation"]

SYSTEM = "You are a patient guide who answers in a few plain sentences and says when something is not known."

ENGLISH = (
    "I moved the old desk to the window so that there is more light in the morning.",
    "Could you explain why the bread did not rise, although I waited for two hours?",
    "The train was late again, and nobody at the station knew when the next one would come.",
    "My sister thinks that we should paint the kitchen before the guests arrive in June.",
    "There are three ways to do this, and the second one is usually the cheapest.",
    "Please keep the answer short; I only need the names and the dates.",
    "It rained for most of the week, but the garden looks better than it has in years.",
    "What would you do first if you had to learn the language in one month?",
    "The battery lasts about ten hours, less when it is cold outside.",
    "I read the whole chapter twice and still do not see where the proof goes wrong.",
    'She said "not before Friday", so I would rather ask once more than wait for nothing.',
    "That's a fair point; let's compare the two plans and see which one costs less.",
    "First heat the oil, then add the onions, and stir until they are soft and golden.",
    "Nobody has lived in the house since 1987, and the roof won't last another winter.",
)

TYPOGRAPHIC = (
    "“I can’t stay,” she said — and yet she didn’t move from the chair by the window.",
    "The café’s owner, an émigré from Kraków, told the story again: slowly, proudly, with pauses…",
    "‘Naïve’ was the word he’d used – twice – before the whole façade came down.",
    "“You’ve read Brontë, haven’t you?” asked Zoë; he shrugged, as if that weren’t the point.",
    "It was 25 °C in the shade — far too hot for a coat — but he wouldn’t take it off.",
    "Their résumé listed “various” posts between 1998–2004; nobody’s ever asked about them.",
    "The señor at the door didn’t smile. “We’re closed,” he said, “until further notice…”",
    "She’d written ‘à bientôt’ at the end, which wasn’t like her at all.",
    "“One more thing,” he added – half-joking, it seemed – “don’t tell Søren.”",
    "They’d met in Málaga — or was it Cádiz? — long before any of this began.",
    "What’s left of the château is a wall, a well, and a view that’s worth the climb.",
    "“No,” said the curator; “it’s a façon de parler — nobody’s been there since.”",
)

CODE = (
    "def load(path: str) -> dict[str, int]:\n    with open(path) as file:\n        return json.load(file)\n",
    "for (let i = 0; i < rows.length; i++) {\n  if (rows[i].id === id) { return rows[i]; }\n}\n",
    "SELECT name, COUNT(*) AS n FROM orders WHERE total > 100 GROUP BY name ORDER BY n DESC;\n",
    'std::vector<std::pair<int, std::string>> found;\nfound.emplace_back(1, "one");\n',
    '<div class="row" id="main">\n  <a href="/about?x=1&y=2">About</a>\n</div>\n',
    'if err := run(ctx, args...); err != nil {\n\treturn fmt.Errorf("run: %w", err)\n}\n',
    "x = [a ** 2 + b[i] for i, a in enumerate(values) if a is not None and a % 2 == 0]\n",
    '#!/bin/sh\nset -eu\nfor f in *.txt; do mv -- "$f" "${f%.txt}.md"; done\n',
    "impl<T: Clone> Stack<T> {\n    pub fn push(&mut self, item: T) { self.items.push(item); }\n}\n",
    '{"name": "demo", "values": [1, 2.5, null, true], "nested": {"a": "b\\n"}}\n',
    'template = "<p>Hello, {{ user.name|title }}!</p>"  # [see](https://example.org/a_b)\n',
    "@media (max-width: 600px) { .menu > li:not(.open) { display: none; } }\n",
)


def _prose(sentences: Sequence[str], number: int) -> str:
    return " ".join(sentences[(number * 5 + step * 3) % len(sentences)] for step in range(4))


def _listing(snippets: Sequence[str], number: int) -> str:
    chosen = [snippets[(number * 5 + step * 3) % len(snippets)] for step in range(2)]
    return "Why does this fail?\n```\n" + "\n".join(chosen) + "```\n"


KINDS: Mapping[str, Callable[[int], str]] = MappingProxyType(
    {
        "ordinary English": lambda number: _prose(ENGLISH, number),
        "typographic prose": lambda number: _prose(TYPOGRAPHIC, number),
        "source code": lambda number: _listing(CODE, number),
    }
)
"""The text of message *number*, by the kind of conversation."""


def conversation(messages: int, kind: str = "ordinary English") -> list[dict[str, str]]:
    """A system message, and then user and assistant in turn; the last message is the user's. *messages* is even."""
    write = KINDS[kind]
    turns = [
        {"role": ("user", "assistant")[number % 2], "content": f"{number + 1}. {write(number)}"}
        for number in range(messages - 1)
    ]
    return [{"role": "system", "content": SYSTEM}, *turns]
