"""What a refusal of the deployer means for a step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.rollout.refusals import LAGGING, RefusalEffect, step_after
from shared.messages.base import Fault
from shared.messages.words import OperationKind


def faults(*codes: str, value: object = None) -> list[Fault]:
    return [Fault(code=code, field="site", message=f"because of {code}", value=value) for code in codes]


@pytest.mark.parametrize(
    ("codes", "attempt", "effect", "code"),
    [
        (["already_current"], 1, RefusalEffect.COMPLETE, "already_there"),
        (["release_withdrawn", "already_current"], 1, RefusalEffect.COMPLETE, "already_there"),
        (["site_busy", "already_current"], 1, RefusalEffect.LATER, "site_busy"),
        (["site_busy"], 99, RefusalEffect.LATER, "site_busy"),
        (["site_held", "already_current"], 1, RefusalEffect.LATER, "site_held"),
        (["operation_exists"], 1, RefusalEffect.LATER, "operation_exists"),
        (["unknown_release"], 29, RefusalEffect.LATER, "unknown_release"),
        (["unknown_release"], 30, RefusalEffect.FAILED, "unknown_release"),
        (["release_withdrawn"], 1, RefusalEffect.FAILED, "release_withdrawn"),
        (["not_upgradable", "driver_mismatch"], 1, RefusalEffect.FAILED, "not_upgradable"),
        (["no_previous_release"], 1, RefusalEffect.FAILED, "no_previous_release"),
        (["platform_unfit", "patches_missing"], 1, RefusalEffect.ABORTED, "platform_unfit"),
        (["dependency_missing"], 1, RefusalEffect.ABORTED, "dependency_missing"),
        (["excluded"], 1, RefusalEffect.ABORTED, "excluded"),
        (["operation_forbidden"], 1, RefusalEffect.ABORTED, "operation_forbidden"),
        (["platform_unfit", "not_upgradable"], 1, RefusalEffect.FAILED, "platform_unfit"),
        (["unknown_release", "platform_unfit"], 1, RefusalEffect.LATER, "unknown_release"),
    ],
)
def test_a_refusal_means(codes: list[str], attempt: int, effect: RefusalEffect, code: str) -> None:
    after = step_after(faults(*codes), attempt, 30)
    assert (after.effect, after.code) == (effect, code)


def test_what_is_to_be_removed_and_is_not_there_is_done() -> None:
    """Somebody else took it off between the plan and the step. Of any other operation it is a failure."""
    after = step_after(faults("nothing_deployed"), 1, 30, OperationKind.REMOVE)
    assert (after.effect, after.code) == (RefusalEffect.COMPLETE, "already_removed")
    after = step_after(faults("nothing_deployed"), 1, 30, OperationKind.UPDATE)
    assert (after.effect, after.code) == (RefusalEffect.FAILED, "nothing_deployed")
    after = step_after(faults("nothing_deployed", "site_held"), 1, 30, OperationKind.REMOVE)
    assert (after.effect, after.code) == (RefusalEffect.LATER, "site_held")


def test_a_site_that_is_there_says_so_with_its_release() -> None:
    assert step_after(faults("already_current", value="1.1"), 1, 30).message == (
        "it runs release 1.1 already; nothing was done"
    )


CODES = ["site_busy", "already_current", "not_upgradable", "release_withdrawn", *sorted(LAGGING)]


@given(st.lists(st.sampled_from(CODES), min_size=1, max_size=5), st.integers(1, 60))
def test_nothing_is_complete_that_is_not_settled_and_nothing_is_tried_for_ever_but_a_busy_site(
    codes: list[str], attempt: int
) -> None:
    after = step_after(faults(*codes), attempt, 30)
    if after.effect is RefusalEffect.COMPLETE:
        assert "already_current" in codes
        assert not LAGGING.union({"site_busy"}).intersection(codes)
    if after.effect is RefusalEffect.LATER:
        assert after.code == "site_busy" or attempt < 30
