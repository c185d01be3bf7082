"""What every conformance suite shares: rules, how each was broken, and the report of all that were."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs

__all__ = ["Broken", "DoesNotConform", "Rule", "shown", "verdict"]

_SHOWN = 300
_LISTED = 5


@attrs.frozen
class Rule:
    """What must hold. *name* is a short stable word for it, *advice* what to do where it does not."""

    name: str
    promise: str
    advice: str

    def broken(self, given: str, came: str) -> Broken:
        """This rule, broken by *given*, of which *came* came."""
        return Broken(self.name, self.promise, given, came, self.advice)


@attrs.frozen
class Broken:
    """One rule that does not hold.

    *rule* is its name, *promise* what it says, *given* the smallest input found that breaks it, *came* what came
    of that, *advice* what to do; *others* are further inputs that break it.
    """

    rule: str
    promise: str
    given: str
    came: str
    advice: str
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (("given", self.given), ("came", self.came), ("also by", self._others()), ("to do", self.advice))
        lines = [textwrap.indent(f"{title}: {text}", "    ") for title, text in parts if text]
        return "\n".join([f"{self.rule}: {self.promise}", *lines])

    def _others(self) -> str:
        rest = f"; and {len(self.others) - _LISTED} more" if len(self.others) > _LISTED else ""
        return "; ".join(self.others[:_LISTED]) + rest


class DoesNotConform(AssertionError):
    """A plugin's part breaks rules of its suite.

    ``subject`` is the part, ``broken`` are all the rules that it breaks, of as many as were ``checked``. The text says
    each at length.
    """

    def __init__(self, subject: str, broken: Sequence[Broken], checked: int) -> None:
        super().__init__(subject, tuple(broken), checked)
        self.subject = subject
        self.broken: tuple[Broken, ...] = tuple(broken)
        self.checked = checked

    def __str__(self) -> str:
        count = len(self.broken)
        head = f"{self.subject} breaks {count} of {self.checked} rules"
        foot = 'A rule that cannot hold here is left out with waive={"rule": "the reason"}.'
        return "\n\n".join([head, *map(str, self.broken), foot])


def verdict(subject: str, checked: Collection[str], broken: Iterable[Broken], waive: Mapping[str, str]) -> None:
    """Raise :class:`DoesNotConform` for what is *broken* and not waived, and for waivers that nothing needs.

    Raises ValueError for a waiver of no rule, and for one without a reason.
    """
    _check_waivers(checked, waive)
    found = _together(broken)
    left = [each for each in found if each.rule not in waive]
    left += [_needless(rule) for rule in waive if rule not in {each.rule for each in found}]
    if left:
        raise DoesNotConform(subject, left, len(checked))


def _together(broken: Iterable[Broken]) -> list[Broken]:
    """Each rule once, with everything else that breaks it."""
    found: dict[str, Broken] = {}
    for each in broken:
        first = found.setdefault(each.rule, each)
        if each.given not in {first.given, *first.others}:
            found[each.rule] = attrs.evolve(first, others=(*first.others, each.given))
    return list(found.values())


def _check_waivers(checked: Collection[str], waive: Mapping[str, str]) -> None:
    for rule, reason in waive.items():
        if rule not in checked:
            raise ValueError(f"waive: there is no rule {rule!r} here; there are {', '.join(checked)}")
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"waive: give a reason why {rule!r} cannot hold")


def _needless(rule: str) -> Broken:
    return Broken(
        rule, "a waived rule is one that is broken", f"waive {rule!r}", "the rule holds", "leave the waiver out"
    )


def shown(text: str) -> str:
    """*text* as Python writes it, the middle of a long one left out."""
    if len(text) <= _SHOWN:
        return repr(text)
    half = _SHOWN // 2
    return f"{text[:half]!r} ... {text[-half:]!r} ({len(text)} characters)"
