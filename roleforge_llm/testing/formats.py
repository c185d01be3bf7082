"""The conformance suite of prompt formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from roleforge_llm.formats import PromptFormat
from roleforge_llm.testing.conformance import Broken, verdict
from roleforge_llm.testing.format_replies import REPLIES
from roleforge_llm.testing.format_rules import CONTENTS
from roleforge_llm.testing.format_whole import WHOLE, broken_as_a_whole, broken_metadata
from roleforge_llm.testing.samples import smallest
from roleforge_llm.testing.trials import Sampled

__all__ = ["RULES", "assert_format_conforms"]

_SAMPLED = (*CONTENTS, *REPLIES)
RULES = (*(sampled.rule.name for sampled in _SAMPLED), *WHOLE)
"""The names of all rules for formats."""


def assert_format_conforms(
    format: PromptFormat,  # noqa: A002  # the word for it everywhere else, too
    *,
    waive: Mapping[str, str] | None = None,
    examples: int = 40,
) -> None:
    """Raise :class:`DoesNotConform`, an AssertionError with everything that is wrong, unless *format* keeps its rules.

    It is rendered with conversations of every shape and with *examples* more, always the same ones. *waive* names
    rules that cannot hold for this format, each with the reason, such as ``{"prefix-stable": "the model was trained
    with the system message in the last turn"}``; a waiver that is not needed is an error, too.
    """
    title = f"the prompt format {getattr(format, 'name', format)!r}"
    verdict(title, RULES, _broken(format, examples), waive or {})


def _broken(found: PromptFormat, examples: int) -> Sequence[Broken]:
    metadata = list(broken_metadata(found))
    return metadata or [*_broken_on_samples(found, examples), *broken_as_a_whole(found)]


def _broken_on_samples(found: PromptFormat, examples: int) -> Iterator[Broken]:
    for sampled in _SAMPLED:
        if (broken := _broken_rule(sampled, found, examples)) is not None:
            yield broken


def _broken_rule(sampled: Sampled, found: PromptFormat, examples: int) -> Broken | None:
    for sample in sampled.samples(examples):
        if sampled.wrong(found, sample) is not None:
            least = smallest(sample, lambda each: sampled.wrong(found, each) is not None)
            return sampled.rule.broken(str(least), sampled.wrong(found, least) or "")
    return None
