"""The failure policy ``balance``: several servers of one model as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roleforge_llm import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roleforge_llm import DerivedPolicySpec, PolicySpec

__all__ = ["roleforge_failure_policies"]

ROLEFORGE_LLM_API = ">=1,<2"


@hookimpl
def roleforge_failure_policies() -> Iterable[DerivedPolicySpec]:
    """``balance``, on top of the built-in policy, which has the last server of a call to itself."""
    from roleforge_llm import DerivedPolicySpec

    return [DerivedPolicySpec("balance", base="backoff-then-fallback", derive=_derived)]


def _derived(base: PolicySpec) -> PolicySpec:
    from roleforge_llm_balance.policy import balance

    return balance(base)
