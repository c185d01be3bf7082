"""Trying a rule for formats on many conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs

from roleforge_llm.formats import PromptFormat
from roleforge_llm.testing.conformance import Rule
from roleforge_llm.testing.samples import Sample

__all__ = ["Sampled", "Unrendered", "rendered"]


class Unrendered(Exception):
    """The format does not render a sample, which is another rule's business."""


@attrs.frozen
class Sampled:
    """A rule that is tried on *samples*. *check* says what came of one, None where the rule holds."""

    rule: Rule
    check: Callable[[PromptFormat, Sample], str | None]
    samples: Callable[[int], Iterable[Sample]]

    def wrong(self, found: PromptFormat, sample: Sample) -> str | None:
        """What is wrong with *found* on *sample*; None also where it does not render it."""
        try:
            return self.check(found, sample)
        except Unrendered:
            return None


def rendered(found: PromptFormat, sample: Sample, variables: Mapping[str, object] | None = None) -> str:
    """The prompt; raises :class:`Unrendered` where there is none."""
    try:
        text = found.render(sample.conversation, variables)
    except Exception as error:
        raise Unrendered from error
    if not isinstance(text, str):
        raise Unrendered
    return text
