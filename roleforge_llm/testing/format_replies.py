"""What a prompt format must keep to around replies: the prefill, what was written before, and reading a reply back."""

from __future__ import annotations

from roleforge_llm.formats import PromptFormat, StopCutter
from roleforge_llm.messages import Message
from roleforge_llm.testing.conformance import Rule, shown
from roleforge_llm.testing.samples import Sample, dialogues, framed
from roleforge_llm.testing.trials import Sampled, Unrendered, rendered

__all__ = ["REPLIES"]


def _ends_with_prefill(found: PromptFormat, sample: Sample) -> str | None:
    without = rendered(found, sample)
    prefill = framed(9, "p")
    text = rendered(found, Sample((*sample.messages, Message("assistant", prefill))))
    if not text.endswith(prefill):
        return f"with the prefill {prefill!r} the prompt ends with {shown(text[-60:])}"
    begun = text.removesuffix(prefill)
    if begun not in {without, without + found.reply_prefix}:
        return (
            f"before the prefill stands {shown(begun[-60:])}, without one the prompt ends with {shown(without[-60:])}"
        )
    return None


def _has_stable_beginning(found: PromptFormat, sample: Sample) -> str | None:
    reply, closing = ("assistant", framed(98, "r")), ("user", framed(99, "u"))
    said = tuple(zip(sample.roles, sample.texts, strict=True))
    before = rendered(found, Sample.of(*said, reply))
    later = rendered(found, Sample.of(*said, reply, closing))
    if later.startswith(before):
        return None
    at = next((at for at, (one, other) in enumerate(zip(before, later, strict=False)) if one != other), len(later))
    seen = slice(max(0, at - 20), at + 40)
    return f"after the next turn {shown(before[seen])} has become {shown(later[seen])}"


def _gives_replies_back(found: PromptFormat, sample: Sample) -> str | None:
    """What the model writes if it goes on as the conversation does must be read as the reply and nothing else."""
    reply, said = framed(98, "r"), tuple(zip(sample.roles, sample.texts, strict=True))
    prompt = rendered(found, Sample.of(*said))
    later = rendered(found, Sample.of(*said, ("assistant", reply), ("user", framed(99, "u"))))
    closing = prompt[prompt.rfind(sample.texts[-1]) + len(sample.texts[-1]) :]
    before = later[later.find(sample.texts[-1]) + len(sample.texts[-1]) : later.find(reply)]
    if sample.texts[-1] not in prompt or reply not in later or not before.startswith(closing):
        raise Unrendered  # rules of their own
    written = before.removeprefix(closing) + later[later.find(reply) :]
    cutter = StopCutter(found.stop, prefix=found.reply_prefix, suffix=found.reply_suffix)
    read = cutter.feed(written) + cutter.finish()
    return None if read == reply else f"of {shown(written)} the client reads {shown(read)} instead of {reply!r}"


REPLIES: tuple[Sampled, ...] = (
    Sampled(
        Rule(
            "prefill",
            "the prompt ends with the prefill, after the generation prompt and at most reply_prefix",
            "write conversation.prefill (assistant_message in a template) as the very last thing, unchanged",
        ),
        _ends_with_prefill,
        dialogues,
    ),
    Sampled(
        Rule(
            "prefix-stable",
            "a later turn changes nothing of the prompt before it, so that servers can keep what they have read",
            "let nothing that was written depend on what comes later; if the model was trained so, waive this rule",
        ),
        _has_stable_beginning,
        dialogues,
    ),
    Sampled(
        Rule(
            "reply",
            "a reply as the format itself writes it, cut at the stop sequences, is read back exactly",
            "make stop, reply_prefix and reply_suffix fit what stands before and after a reply in the conversation",
        ),
        _gives_replies_back,
        dialogues,
    ),
)
"""The rules of this module, in the order of the report."""
