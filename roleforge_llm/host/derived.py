"""Failure policies that build on others: finding the one below."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from roleforge_llm.errors import PluginError
from roleforge_llm.host.isolation import blamed

if TYPE_CHECKING:
    from roleforge_llm.policies import DerivedPolicySpec, PolicySpec

__all__ = ["derived"]


def derived(
    spec: PolicySpec | DerivedPolicySpec,
    find: Callable[[str], PolicySpec | DerivedPolicySpec],
    above: tuple[DerivedPolicySpec, ...] = (),
) -> PolicySpec:
    """*spec* itself, or made of its base, which *find* gives by name; *above* are the policies that build on it.

    Raises :class:`PluginError` for a base that is not there, for a circle, and for whatever ``derive`` does wrong.
    """
    from roleforge_llm.policies import PolicySpec

    if isinstance(spec, PolicySpec):
        return spec
    if spec in above:
        circle = " on ".join(each.name for each in (*above[above.index(spec) :], spec))
        raise PluginError(f"failure policies build on each other in a circle: {circle}; disable one of their plugins")
    base = derived(_base(spec, find), find, (*above, spec))
    with blamed(f"the failure policy {spec.name!r} cannot build on {spec.base!r}"):
        made: object = spec.derive(base)
    if not isinstance(made, PolicySpec):
        kind = type(made).__name__
        raise PluginError(f"the failure policy {spec.name!r} derives an object of type {kind}, not a PolicySpec")
    return attrs.evolve(made, name=spec.name)


def _base(
    spec: DerivedPolicySpec, find: Callable[[str], PolicySpec | DerivedPolicySpec]
) -> PolicySpec | DerivedPolicySpec:
    try:
        return find(spec.base)
    except PluginError as error:
        raise PluginError(f"the failure policy {spec.name!r} builds on {spec.base!r}: {error}") from error
