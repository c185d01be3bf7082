"""Failure policies that build on other policies, by name."""

import pytest

import roleforge_llm as rf


def host(*specs: object, **more: object) -> rf.PluginHost:
    class Plugin:
        @rf.hookimpl
        def roleforge_failure_policies(self) -> list[object]:
            return list(specs)

    return rf.PluginHost(plugins=[Plugin()], **more)


def renamed(base: rf.PolicySpec) -> rf.PolicySpec:
    return rf.PolicySpec("whatever", base.factory, base.limits, options=(*base.options, "mood"))


def test_it_is_made_of_the_other_policy_under_its_own_name() -> None:
    found = host(rf.DerivedPolicySpec("mine", "backoff-then-fallback", renamed)).policy("mine")
    built_in = rf.PluginHost().policy("backoff-then-fallback")
    profile = rf.Profile("a")
    assert (found.name, found.options) == ("mine", ("mood",))
    assert found.limits(profile) == built_in.limits(profile)
    assert found.factory(profile) == built_in.factory(profile)


def test_it_may_build_on_one_that_builds_on_another() -> None:
    second, first = rf.DerivedPolicySpec("b", "a", renamed), rf.DerivedPolicySpec("a", "backoff-then-fallback", renamed)
    assert host(second, first).policy("b").options == ("mood", "mood")


def test_a_built_in_policy_can_be_replaced_by_one_that_builds_on_it() -> None:
    name = "backoff-then-fallback"
    mine = rf.DerivedPolicySpec(name, f"roleforge-llm:{name}", renamed)
    assert host(mine, overridden=[name]).policy(name).options == ("mood",)


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        (
            [rf.DerivedPolicySpec("mine", "backof-then-fallback", renamed)],
            "the failure policy 'mine' builds on 'backof-then-fallback': no plugin offers the failure policy "
            "'backof-then-fallback'; did you mean backoff-then-fallback?",
        ),
        (
            [rf.DerivedPolicySpec("mine", "other", renamed), rf.DerivedPolicySpec("other", "mine", renamed)],
            "failure policies build on each other in a circle: mine on other on mine; disable one of their plugins",
        ),
        (
            [rf.DerivedPolicySpec("mine", "mine", renamed)],
            "failure policies build on each other in a circle: mine on mine; disable one of their plugins",
        ),
        (
            [rf.DerivedPolicySpec("mine", "backoff-then-fallback", lambda base: 1 / 0)],
            "the failure policy 'mine' cannot build on 'backoff-then-fallback': ZeroDivisionError: division by zero",
        ),
        (
            [rf.DerivedPolicySpec("mine", "backoff-then-fallback", lambda base: None)],
            "the failure policy 'mine' derives an object of type NoneType, not a PolicySpec",
        ),
    ],
    ids=["no-such-base", "circle", "itself", "raises", "gives-nothing"],
)
def test_what_cannot_be_made_is_told_when_it_is_asked_for_and_not_before(specs: list[object], told: str) -> None:
    with_it = host(*specs)
    assert with_it.policy("backoff-then-fallback").name == "backoff-then-fallback"
    with pytest.raises(rf.PluginError) as caught:
        with_it.policy("mine")
    assert str(caught.value) == told


def test_a_derive_that_is_no_function_is_the_plugins_fault() -> None:
    (record,) = (each for each in host(rf.DerivedPolicySpec("mine", "x", None)).records if not each.distribution)
    assert record.status == "failed"
    assert "the failure policy 'mine' with a derive that is no function" in str(record.error)
