"""Counts that cannot be are found, and a recount makes them those of the steps, or says why it cannot."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator import domain
from services.strategy_orchestrator.domain import LIVE, Refused, Stage, StageCount, Strategy
from shared.messages.strategy import Counts, FailurePolicy, Why
from shared.messages.words import StageState, StrategyState

S = StrategyState


def stage(counts: Counts, limit: int = 3, blocked: int = 0) -> Stage:
    return Stage(0, "all", StageState.RUNNING, counts, limit, blocked=blocked)


def strategy(state: StrategyState, *stages: Stage) -> Strategy:
    ends_as = S.FAILED if state is S.ABORTING else None
    return Strategy("id", "name", state, Why(code="test", message="test"), FailurePolicy(), stages, ends_as)


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (stage(Counts(waiting=4, running=1)), ""),
        (stage(Counts(waiting=4)), "stage all had 5 sites and has 4"),
        (stage(Counts(waiting=6, running=-1)), "stage all has -1 running sites"),
        (stage(Counts(waiting=1, running=4)), "stage all has 4 running sites, and 3 may run"),
        (stage(Counts(waiting=5), blocked=6), "stage all has 6 busy sites among 5 that wait"),
    ],
)
def test_what_cannot_be_is_told_in_numbers(now: Stage, text: str) -> None:
    assert domain.misfit(stage(Counts(waiting=5)), now) == text


@pytest.mark.parametrize("state", sorted(LIVE - {S.NEEDS_INSPECTION}))
def test_after_a_recount_it_waits_for_a_person_or_goes_on_aborting(state: StrategyState) -> None:
    found = domain.inspect(strategy(state, stage(Counts(waiting=2, complete=1))), "it has one too many")
    assert found.state is S.NEEDS_INSPECTION
    assert found.why.code == "counts_differ"
    again = domain.recount(found, {0: StageCount(Counts(waiting=1, complete=2))}, "ann", "seen")
    assert again.state is (S.ABORTING if state is S.ABORTING else S.PAUSED)
    assert again.why.message == "recounted by ann: seen"


def test_a_release_that_was_withdrawn_meanwhile_ends_it_once_it_is_recounted() -> None:
    found = domain.inspect(strategy(S.APPLYING, stage(Counts(waiting=1))), "it has one too many")
    gone = domain.stop(found, Why(code="release_withdrawn", message="release 2.0 was withdrawn"))
    assert gone.state is S.NEEDS_INSPECTION
    assert domain.recount(gone, {0: StageCount(Counts(waiting=1))}, "", "").state is S.ABORTING


numbers = st.builds(Counts, **{name: st.integers(0, 4) for name in Counts.model_fields})


@given(numbers, numbers, st.integers(1, 4), st.sampled_from(list(StageState)))
def test_a_recount_takes_the_counts_of_the_steps_or_refuses_what_may_not_run(
    was: Counts, counted: Counts, limit: int, state: StageState
) -> None:
    before = strategy(S.NEEDS_INSPECTION, replace(stage(was, limit), state=state))
    fits = counted.total == was.total and counted.running <= limit
    if not fits:
        with pytest.raises(Refused) as refused:
            domain.recount(before, {0: StageCount(counted)}, "", "")
        assert refused.value.faults[0].code == "counts_differ"
        return
    (after,) = domain.recount(before, {0: StageCount(counted)}, "", "").stages
    assert after.counts == counted
    if counted.waiting or counted.running:
        assert after.state in {StageState.WAITING, StageState.RUNNING}
