"""When failures stop a strategy: every policy against every way a stage can go."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.rollout.policy import failures_told, trips
from shared.messages.strategy import Counts, CreateStrategy, FailurePolicy, StrategySpec


def counts(sites: int, failed: int, complete: int, running: int = 0) -> Counts:
    waiting = sites - failed - complete - running
    return Counts(waiting=waiting, running=running, failed=failed, complete=complete)


def policy(threshold: int | str | None, min_sample: int = 1) -> FailurePolicy:
    return FailurePolicy(stop_on_failure=False, threshold=threshold, min_sample=min_sample)


@pytest.mark.parametrize(
    ("threshold", "sites", "last_borne"),
    [(1, 20, 0), (3, 20, 2), ("20%", 20, 4), ("20%", 7, 1), ("5%", 20, 1), ("5%", 19, 0), ("99%", 20, 19)],
)
def test_a_stage_bears_so_many_failures_and_not_one_more(threshold: int | str, sites: int, last_borne: int) -> None:
    borne = [n for n in range(sites) if not trips(policy(threshold), counts(sites, n, 0, running=1))]
    assert borne == list(range(last_borne + 1))


def test_the_first_of_twenty_failing_is_not_a_hundred_per_cent() -> None:
    assert not trips(policy("20%"), counts(20, failed=1, complete=0))


@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(0, 60), st.integers(1, 100), st.integers(1, 70), st.booleans()
)
def test_a_per_cent_trips_exactly_when_the_stage_cannot_stay_within_it(
    sites: int, failed: int, complete: int, share: int, sample: int, running: bool
) -> None:
    failed, complete = min(failed, sites), min(complete, sites - min(failed, sites))
    left = sites - failed - complete
    here = counts(sites, failed, complete, running=min(left, 1) if running else 0)
    best_possible = failed / sites * 100  # all others succeed
    beyond = best_possible > share + 1e-9 and (failed + complete >= sample or left == 0)
    assert trips(policy(f"{share}%", sample), here) == (beyond or (left == 0 and complete == 0))


@given(st.integers(1, 30), st.data())
def test_more_failures_never_untrip_a_policy(sites: int, data: st.DataObject) -> None:
    threshold = data.draw(st.sampled_from([None, 1, 4, "10%", "50%", "100%"]))
    first = data.draw(st.integers(0, sites))
    more = data.draw(st.integers(first, sites))
    chosen = policy(threshold, data.draw(st.integers(1, 40)))
    if trips(chosen, counts(sites, first, 0)):
        assert trips(chosen, counts(sites, more, 0))


@pytest.mark.parametrize(("threshold", "sample"), list(product([None, 1, 9, "1%", "100%"], [1, 99])))
def test_an_ended_stage_without_a_good_site_trips_every_policy(threshold: int | str | None, sample: int) -> None:
    assert trips(policy(threshold, sample), counts(3, failed=3, complete=0))
    assert not trips(policy(threshold, sample), counts(3, failed=3, complete=0), accepted_failures=3)


def test_without_a_threshold_no_number_of_failures_stops_a_stage_with_one_good_site() -> None:
    assert not trips(policy(None), counts(100, failed=99, complete=1))


def test_the_verdict_says_what_the_policy_bears() -> None:
    assert failures_told(policy("20%"), "half", counts(20, 5, 1)) == (
        "stage half: 5 of 6 finished sites failed (20 in the stage; the policy bears 20%)"
    )
    assert failures_told(FailurePolicy(), "canary", counts(20, 1, 0)) == "stage canary: 1 of 1 finished sites failed"


@pytest.mark.parametrize(
    ("asked", "first_stops"),
    [
        ({}, True),
        ({"threshold": "20%"}, False),
        ({"threshold": 3, "stop_on_failure": None}, False),
        ({"threshold": 3, "stop_on_failure": True}, True),
        ({"stop_on_failure": False}, False),
    ],
)
def test_the_first_failure_does_not_stop_who_asked_for_a_threshold(asked: dict[str, Any], first_stops: bool) -> None:
    chosen = FailurePolicy.model_validate(asked)
    assert chosen.stop_on_failure is first_stops
    assert FailurePolicy.model_validate(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize(("first_stops", "threshold"), list(product([True, False], [None, 3, "20%"])))
def test_a_policy_means_the_same_after_it_has_travelled(first_stops: bool, threshold: int | str | None) -> None:
    """Commands travel without defaults, and what is left out beside a threshold has another default."""
    asked = FailurePolicy(stop_on_failure=first_stops, threshold=threshold)
    facts = {"name": "s", "type": "apply", "app": "shop", "version": "1", "on_failure": asked}
    command = CreateStrategy(spec=StrategySpec.model_validate(facts))
    for body in (command.model_dump_json(exclude_defaults=True), command.model_dump_json()):
        assert CreateStrategy.model_validate_json(body) == command
