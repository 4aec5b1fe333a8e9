"""A strategy moves rightly from every state it can be in, whatever happens between two looks at it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.strategy_orchestrator import domain
from services.strategy_orchestrator.domain import ENDED, TRANSITIONS, Refused, Reopened, Stage, Strategy
from services.strategy_orchestrator.gates import Surroundings
from services.strategy_orchestrator.rollout import advance as advancing
from services.strategy_orchestrator.rollout.advance import Decision
from services.strategy_orchestrator.rollout.reasons import why_now
from shared.messages.strategy import Counts, FailurePolicy, Why
from shared.messages.words import StageState, StrategyAction, StrategyState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
S, A = StrategyState, StrategyAction


def stage(position: int = 0, sites: int = 4, limit: int = 2, soak: int = 0, **counts: int) -> Stage:
    numbers = {"waiting": sites - sum(counts.values()), **counts}
    return Stage(position, f"s{position}", StageState.WAITING, Counts(**numbers), limit, soak)


def strategy(*stages: Stage, state: StrategyState = S.APPLYING, **policy: object) -> Strategy:
    why = Why(code="test", message="test")
    return Strategy("id", "name", state, why, FailurePolicy(**policy), stages)  # type: ignore[arg-type]


def advance(s: Strategy, now: datetime) -> Decision:
    """Of a strategy whose sites have no groups."""
    return advancing.advance(s, Surroundings(s), now)


def started(decision: Decision) -> Strategy:
    """The strategy once the slots are filled, as the unit of work does it."""
    if decision.stage is None:
        return decision.strategy
    stages = list(decision.strategy.stages)
    here = stages[decision.stage]
    stages[decision.stage] = replace(
        here, counts=domain.moved(here.counts, waiting=-decision.start, running=decision.start)
    )
    return replace(decision.strategy, stages=tuple(stages))


def finished(s: Strategy, position: int, **deltas: int) -> Strategy:
    stages = list(s.stages)
    here = stages[position]
    counts = domain.moved(here.counts, running=-sum(deltas.values()), **deltas)
    stages[position] = replace(here, counts=counts)
    return replace(s, stages=tuple(stages))


def test_free_slots_are_filled_up_to_the_limit() -> None:
    decision = advance(strategy(stage(sites=10, limit=3, running=1)), NOW)
    assert (decision.stage, decision.start) == (0, 2)


def test_a_slot_that_becomes_free_is_filled_at_once_without_waiting_for_the_others() -> None:
    running = started(advance(strategy(stage(sites=10, limit=3)), NOW))
    assert advance(finished(running, 0, complete=1), NOW).start == 1


def test_no_more_sites_start_than_wait() -> None:
    assert advance(strategy(stage(sites=2, limit=100)), NOW).start == 2


def test_blocked_sites_take_no_slot() -> None:
    waiting = replace(stage(sites=3, limit=3), blocked=2)
    assert advance(strategy(waiting), NOW).start == 1


def test_the_next_stage_opens_when_the_last_site_of_the_one_before_is_done() -> None:
    decision = advance(strategy(stage(0, sites=1, complete=1), stage(1, sites=5, limit=2)), NOW)
    assert decision.strategy.stages[0].state is StageState.COMPLETE
    assert (decision.stage, decision.start) == (1, 2)


def test_a_soak_keeps_the_next_stage_closed_until_its_end() -> None:
    soaking = advance(strategy(stage(0, sites=1, soak=60, complete=1), stage(1)), NOW)
    assert soaking.look_again_at == NOW + timedelta(seconds=60)
    assert soaking.start == 0
    early = advance(soaking.strategy, NOW + timedelta(seconds=59))
    assert early.start == 0
    over = advance(soaking.strategy, NOW + timedelta(seconds=60))
    assert over.start == 2


def test_a_strategy_whose_sites_are_all_done_is_complete() -> None:
    decision = advance(strategy(stage(sites=2, complete=2)), NOW)
    assert decision.strategy.state is S.COMPLETE
    assert decision.let_go


def test_the_first_failure_trips_the_rope_and_running_sites_finish() -> None:
    tripped = advance(strategy(stage(sites=5, limit=2, running=1, failed=1)), NOW)
    assert tripped.strategy.state is S.ABORTING
    assert tripped.abort_waiting
    assert tripped.start == 0
    assert not tripped.let_go
    ended = advance(finished(tripped.strategy, 0, complete=1), NOW)
    assert ended.strategy.state is S.FAILED
    assert ended.strategy.counts == Counts(complete=1, failed=1, aborted=3)


def test_a_policy_may_pause_instead_and_resuming_accepts_the_failures() -> None:
    tripped = advance(strategy(stage(sites=5, limit=2, failed=1), then="pause"), NOW)
    assert tripped.strategy.state is S.PAUSED
    assert tripped.strategy.why.code == "failure_threshold"
    resumed = advance(domain.resume(tripped.strategy, "ann", ""), NOW)
    assert resumed.start == 2
    again = advance(finished(started(resumed), 0, failed=1), NOW)
    assert again.strategy.state is S.PAUSED


def test_failures_below_the_threshold_let_the_strategy_go_on_and_end_as_failed() -> None:
    decision = advance(strategy(stage(sites=3, complete=2, failed=1), stop_on_failure=False, threshold=2), NOW)
    assert decision.strategy.state is S.FAILED
    assert decision.strategy.why.code == "sites_failed"


def test_a_failed_canary_stops_the_strategy_however_large_the_sample_has_to_be() -> None:
    policy = {"stop_on_failure": False, "threshold": "20%", "min_sample": 10}
    decision = advance(strategy(stage(0, sites=1, failed=1), stage(1, sites=50), **policy), NOW)
    assert decision.strategy.state is S.ABORTING or decision.strategy.state is S.FAILED
    assert decision.start == 0
    assert decision.strategy.counts == Counts(failed=1, aborted=50)


@pytest.mark.parametrize("threshold", [None, 3, "50%", "100%"])
def test_a_stage_in_which_every_site_failed_never_passes(threshold: int | str | None) -> None:
    policy = {"stop_on_failure": False, "threshold": threshold, "min_sample": 99, "then": "pause"}
    decision = advance(strategy(stage(0, sites=2, failed=2), stage(1, sites=50), **policy), NOW)
    assert decision.strategy.state is S.PAUSED
    resumed = advance(domain.resume(decision.strategy, "ann", "seen"), NOW)
    assert (resumed.stage, resumed.start) == (1, 2)  # a person accepted them


def test_the_reason_counts_the_failures_that_came_after_the_one_that_stopped_it() -> None:
    policy = {"stop_on_failure": False, "threshold": "10%"}
    tripped = advance(strategy(stage(sites=30, limit=19, running=15, failed=4), **policy), NOW).strategy
    assert why_now(tripped).message.startswith("stage s0: 4 of 4 finished sites failed")
    assert why_now(tripped).message.endswith("; waits for 15 sites to end, or to be cancelled")
    ended = advance(finished(tripped, 0, failed=14, complete=1), NOW).strategy
    assert ended.state is S.FAILED
    assert why_now(ended).message == "stage s0: 18 of 19 finished sites failed (30 in the stage; the policy bears 10%)"


def test_an_abort_ends_waiting_sites_at_once_and_running_ones_in_their_time() -> None:
    asked = domain.abort(strategy(stage(sites=4, limit=2, running=2)), "ann", "wrong release")
    decision = advance(asked, NOW)
    assert decision.abort_waiting
    assert decision.strategy.state is S.ABORTING
    ended = advance(finished(decision.strategy, 0, complete=1, failed=1), NOW)
    assert ended.strategy.state is S.ABORTED
    assert ended.strategy.why.message == "aborted by ann: wrong release"


def test_an_abort_before_the_start_ends_at_once() -> None:
    decision = advance(domain.abort(strategy(stage(), state=S.READY), "", ""), NOW)
    assert decision.strategy.state is S.ABORTED
    assert decision.abort_waiting
    assert decision.strategy.counts == Counts(aborted=4)


def test_a_retry_runs_only_what_failed_or_was_aborted() -> None:
    ended = strategy(stage(0, sites=2, complete=2), stage(1, sites=4, complete=1, failed=1, aborted=2), state=S.FAILED)
    ended = replace(ended, stages=(replace(ended.stages[0], state=StageState.COMPLETE), ended.stages[1]))
    decision = advance(domain.retry(ended, {1: Reopened(failed=1, aborted=2)}, "ann", ""), NOW)
    assert (decision.stage, decision.start) == (1, 2)
    assert decision.strategy.counts == Counts(waiting=3, complete=3)
    assert decision.strategy.round == 2


def test_a_retry_of_one_site_accepts_the_others_as_they_are() -> None:
    """Else the failures that nobody asked for would stop the one that somebody asked for, before it has begun."""
    first, second = stage(0, sites=3, failed=3), stage(1, sites=2, soak=60, aborted=2)
    stages = (replace(first, state=StageState.FAILED), replace(second, state=StageState.ABORTED))
    ended = replace(strategy(*stages, state=S.FAILED), skipped=1)
    decision = advance(domain.retry(ended, {1: Reopened(aborted=1, skipped=1)}, "ann", ""), NOW)
    assert (decision.stage, decision.start, decision.strategy.skipped) == (1, 1, 0)
    assert [here.state for here in decision.strategy.stages] == ["complete", "running"]
    done = advance(finished(started(decision), 1, complete=1), NOW)
    assert done.strategy.stages[1].state is StageState.SOAKING
    ended = advance(done.strategy, NOW + timedelta(seconds=60)).strategy
    assert (ended.state, ended.why.message) == (S.FAILED, "3 of 5 sites failed, 1 were aborted")


def test_a_stage_that_was_done_and_not_yet_watched_is_watched_after_a_retry() -> None:
    """Its strategy was aborted while its last site ran."""
    done = replace(stage(0, sites=2, soak=60, complete=2), state=StageState.ABORTED)
    ended = strategy(done, replace(stage(1, sites=1, aborted=1), state=StageState.ABORTED), state=S.ABORTED)
    decision = advance(domain.retry(ended, {1: Reopened(aborted=1)}, "ann", ""), NOW)
    assert [here.state for here in decision.strategy.stages] == ["soaking", "waiting"]


def test_what_fails_again_after_a_retry_of_some_stops_the_strategy_again() -> None:
    ended = replace(stage(sites=4, failed=3, complete=1), state=StageState.COMPLETE)
    decision = advance(domain.retry(strategy(ended, state=S.FAILED), {0: Reopened(failed=1)}, "ann", ""), NOW)
    assert decision.start == 1
    again = advance(finished(started(decision), 0, failed=1), NOW).strategy
    assert (again.state, again.why.code) == (S.FAILED, "failure_threshold")


def test_a_stage_of_which_every_site_was_skipped_is_not_watched() -> None:
    decision = advance(replace(strategy(stage(0, sites=2, soak=60, aborted=2), stage(1)), skipped=2), NOW)
    assert (decision.stage, decision.start) == (1, 2)


def test_behind_a_stage_of_which_every_site_went_away_people_are_asked_first() -> None:
    canary = strategy(stage(0, sites=2, soak=60, aborted=2), stage(1))
    paused = advance(canary, NOW).strategy
    assert (paused.state, paused.why.code) == (S.PAUSED, "stage_untried")
    assert advance(paused, NOW).start == 0
    resumed = advance(domain.resume(paused, "ann", ""), NOW)
    assert (resumed.strategy.state, resumed.stage, resumed.start) == (S.APPLYING, 1, 2)


def test_a_last_stage_of_which_every_site_went_away_ends_its_strategy() -> None:
    ended = advance(strategy(stage(0, sites=1, complete=1), stage(1, sites=2, aborted=2)), NOW).strategy
    assert (ended.state, ended.why.code) == (S.FAILED, "sites_failed")


@pytest.mark.parametrize(("sites", "told"), [(1, "1 site that was offline is"), (2, "2 sites that were offline are")])
def test_an_ended_strategy_says_what_it_waits_for_and_until_when(sites: int, told: str) -> None:
    ended = strategy(stage(sites=2, complete=2), state=S.FAILED)
    why = why_now(replace(ended, catch_up_sites=sites, catch_up_until=NOW))
    assert told in why.message
    assert "until 2026-01-01 00:00:00 UTC" in why.message


def test_what_catches_up_goes_on_like_a_retry_and_its_time_goes_on_too() -> None:
    ended = replace(strategy(stage(sites=4, complete=2, aborted=2), state=S.FAILED), catch_up_until=NOW)
    back = domain.catch_up(ended, {0: Reopened(aborted=2)})
    assert (back.why.code, back.catch_up_until, back.round) == ("catching_up", NOW, 2)
    assert advance(back, NOW).start == 2


def test_a_strategy_of_a_type_without_a_way_back_does_not_offer_one() -> None:
    done = strategy(stage(complete=4), state=S.COMPLETE)
    assert domain.actions_of(done) == (A.UNDO, A.DELETE)
    assert domain.actions_of(replace(done, no_way_back="it changed nothing")) == (A.DELETE,)


def test_waiting_sites_can_be_skipped_only_where_some_wait() -> None:
    assert A.SKIP in domain.actions_of(strategy(stage()))
    assert A.SKIP not in domain.actions_of(strategy(stage(sites=2, limit=2, running=2)))


REQUESTS = {
    "apply": (lambda s: domain.apply(s, "", ""), {S.WAITING, S.READY}),
    "pause": (lambda s: domain.pause(s, "", ""), {S.APPLYING}),
    "resume": (lambda s: domain.resume(s, "", ""), {S.PAUSED}),
    "abort": (lambda s: domain.abort(s, "", ""), {S.WAITING, S.READY, S.APPLYING, S.PAUSED}),
    "retry": (lambda s: domain.retry(s, {0: Reopened(failed=1)}, "", ""), {S.APPLYING, S.PAUSED, S.FAILED, S.ABORTED}),
    "delete": (lambda s: domain.check(s, A.DELETE), {S.WAITING, S.READY, S.COMPLETE, S.FAILED, S.ABORTED}),
}


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("verb", list(REQUESTS))
def test_every_request_is_taken_or_refused_with_the_reason_in_every_state(verb: str, state: StrategyState) -> None:
    ask, allowed = REQUESTS[verb]
    asked = replace(strategy(stage(failed=1), state=state), ends_as=S.ABORTED if state is S.ABORTING else None)
    if state in allowed:
        ask(asked)
        return
    with pytest.raises(Refused) as refused:
        ask(asked)
    assert refused.value.faults[0].code == "wrong_state"
    assert state in refused.value.faults[0].message


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("verb", list(REQUESTS))
def test_what_people_are_told_that_they_may_do_is_what_is_taken_of_them(verb: str, state: StrategyState) -> None:
    _, taken = REQUESTS[verb]
    assert (verb in domain.actions_of(strategy(stage(failed=1), state=state))) == (state in taken)


def test_what_waits_for_its_release_is_applied_once_begins_when_it_is_planned_and_may_end_before() -> None:
    waiting = replace(strategy(state=S.WAITING), publication="p1", why=domain.awaits("p1", begins=False))
    assert domain.actions_of(waiting) == (A.APPLY, A.ABORT, A.DELETE)
    applied = domain.apply(waiting, "ann", "at night")
    assert (applied.state, applied.why.message) == (S.WAITING, "waits for publication p1, and begins then")
    assert A.APPLY not in domain.actions_of(applied)
    with pytest.raises(Refused, match="is applied already: it waits for publication p1"):
        domain.apply(applied, "bob", "")
    assert advance(applied, NOW).strategy == applied  # no time makes it begin

    planned = replace(domain.to_state(applied, S.READY, applied.why), stages=(stage(sites=2),), begins="")
    begun = domain.begin(planned, applied.begins)
    assert (begun.state, begun.why.message) == (S.APPLYING, "started by ann: at night")

    failed = advance(domain.fail(planned, Why(code="site_held", message="held")), NOW)
    assert (failed.strategy.state, failed.abort_waiting, failed.strategy.counts.aborted) == (S.FAILED, True, 2)
    assert A.RETRY in domain.actions_of(failed.strategy)

    never = domain.fail(applied, Why(code="upload_failed", message="no checksums"))
    assert domain.actions_of(never) == (A.DELETE,)
    with pytest.raises(Refused, match="never planned"):
        domain.retry(never, {}, "", "")
    assert domain.actions_of(domain.abort(applied, "", "")) == (A.DELETE,)


def test_while_it_goes_on_a_retry_is_offered_where_something_failed_or_was_aborted() -> None:
    def may(**counts: int) -> bool:
        return A.RETRY in domain.actions_of(strategy(stage(**counts)))

    assert not may(complete=1)
    assert may(failed=1)
    assert may(aborted=1)
    with pytest.raises(Refused) as refused:
        domain.retry(strategy(stage(aborted=1)), {}, "", "")
    assert refused.value.faults[0].code == "nothing_to_do"


def test_what_is_tried_again_while_it_runs_waits_in_its_stage_and_no_other_stage_moves() -> None:
    running = strategy(stage(0, sites=3, limit=2, complete=1, failed=2), stage(1, sites=4, limit=2, running=2))
    again = domain.retry(replace(running, stages=(done(running.stages[0]), running.stages[1])), {0: ONE}, "", "")
    first, second = again.stages
    assert (first.counts.waiting, first.counts.failed, first.accepted_failures, again.round) == (1, 1, 1, 2)
    assert second is running.stages[1]
    decision = advance(again, NOW)
    assert (decision.start, decision.closed and decision.closed.code) == (0, "later_stage")
    ended = finished(finished(decision.strategy, 1, complete=1), 1, complete=1)
    decision = advance(ended, NOW)
    assert (decision.stage, decision.start) == (0, 1)


def test_a_failure_that_was_accepted_counts_again_once_its_site_was_tried_again() -> None:
    policy = FailurePolicy(threshold=2)
    paused = replace(strategy(stage(sites=5, limit=5, complete=2, failed=2), state=S.PAUSED), policy=policy)
    resumed = domain.resume(paused, "", "")
    again = domain.retry(resumed, {0: Reopened(failed=2)}, "", "")
    assert advance(again, NOW).strategy.state is S.APPLYING
    assert advance(fails(fails(again)), NOW).strategy.state is not S.APPLYING


ONE = Reopened(failed=1)


def done(one: Stage) -> Stage:
    return replace(one, state=StageState.COMPLETE, accepted_failures=one.counts.failed)


def fails(s: Strategy) -> Strategy:
    (here,) = s.stages
    return replace(s, stages=(replace(here, counts=domain.moved(here.counts, waiting=-1, failed=1)),))


def test_running_sites_are_cancelled_and_what_changed_something_is_undone_once_nothing_runs() -> None:
    def may(**counts: int) -> set[StrategyAction]:
        return {A.CANCEL_RUNNING, A.UNDO} & set(domain.actions_of(strategy(stage(**counts), state=S.PAUSED)))

    assert may() == set()
    assert may(running=1, complete=1) == {A.CANCEL_RUNNING}
    assert may(complete=1) == may(failed=1) == {A.UNDO}


def test_no_state_is_a_dead_end_but_complete() -> None:
    assert {state for state, following in TRANSITIONS.items() if not following} == {S.COMPLETE}


policies = st.builds(
    FailurePolicy,
    stop_on_failure=st.booleans(),
    threshold=st.sampled_from([None, 1, 3, "10%", "50%"]),
    min_sample=st.integers(1, 5),
    then=st.sampled_from(["fail", "pause"]),
)
shapes = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 5), st.sampled_from([0, 30])), min_size=1, max_size=4)
OF_SITES = ["complete", "failed", "kept_out", "skip", "offline"]
OF_PEOPLE = ["pause", "resume", "abort", "retry", "retry_one"]
BY_ITSELF = ["time", "look", "timeout", "catch_up"]
happenings = st.lists(st.sampled_from([*OF_SITES, *OF_PEOPLE, *BY_ITSELF]), max_size=120)


@settings(max_examples=300, deadline=None)
@given(policies, shapes, happenings)
def test_whatever_happens_limits_hold_counts_are_exact_and_it_ends(
    policy: FailurePolicy, shape: list[tuple[int, int, int]], story: list[str]
) -> None:
    stages = tuple(stage(i, sites, limit, soak) for i, (sites, limit, soak) in enumerate(shape))
    totals = [s.counts.total for s in stages]
    now, s = NOW, replace(strategy(*stages), policy=policy)
    for happening in [*story, *["resume", "complete", "time"] * 60]:
        now += timedelta(seconds=40) if happening == "time" else timedelta()
        s = happen(s, happening)
        decision = advance(s, now)
        assert advance(decision.strategy, now).strategy == decision.strategy  # asked again, nothing else follows
        s = advance(started(decision), now).strategy
        check(s, totals)
    assert s.state in ENDED


def happen(s: Strategy, happening: str) -> Strategy:
    try:
        return HAPPENS.get(happening, lambda s: s)(s)
    except Refused:
        return s


def one_ends(s: Strategy, **deltas: int) -> Strategy:
    running = next((i for i, here in enumerate(s.stages) if here.counts.running), None)
    return s if running is None else finished(s, running, **deltas)


def ended_before_its_turn(s: Strategy, *, skipped: bool) -> Strategy:
    """One site that waits is skipped by a person, or goes offline."""
    waiting = next((i for i, here in enumerate(s.stages) if here.counts.waiting), None)
    if waiting is None or s.state not in {S.APPLYING, S.PAUSED}:
        return s
    stages = list(s.stages)
    counts = domain.moved(stages[waiting].counts, waiting=-1, aborted=1)
    stages[waiting] = replace(stages[waiting], counts=counts)
    return replace(s, stages=tuple(stages), skipped=s.skipped + skipped)


def tried_again(s: Strategy, how: str) -> Strategy:
    """All that failed or was aborted, or one of it by a person, or what was offline by itself."""
    ended = {n: Reopened(here.counts.failed, here.counts.aborted) for n, here in enumerate(s.stages)}
    again = {n: one for n, one in ended.items() if one.failed + one.aborted}
    if how == "retry":
        return domain.retry(s, {n: replace(one, skipped=0) for n, one in again.items()}, "", "")
    some = {n: Reopened(failed=min(one.failed, 1), aborted=0 if one.failed else 1) for n, one in again.items()}
    if how == "retry_one":
        return domain.retry(s, dict(list(some.items())[:1]), "", "")
    return domain.catch_up(s, some) if s.state is S.FAILED else s


HAPPENS: dict[str, Callable[[Strategy], Strategy]] = {
    "complete": lambda s: one_ends(s, complete=1),
    "failed": lambda s: one_ends(s, failed=1),
    "kept_out": lambda s: one_ends(s, aborted=1),  # found in no state to be prestaged
    "skip": lambda s: ended_before_its_turn(s, skipped=True),
    "offline": lambda s: ended_before_its_turn(s, skipped=False),
    "timeout": lambda s: domain.stop(s, Why(code="timeout", message="it took too long")),
    "pause": lambda s: domain.pause(s, "", ""),
    "resume": lambda s: domain.resume(s, "", ""),
    "abort": lambda s: domain.abort(s, "", ""),
    "retry": lambda s: tried_again(s, "retry"),
    "retry_one": lambda s: tried_again(s, "retry_one"),
    "catch_up": lambda s: tried_again(s, "catch_up"),
}


def check(s: Strategy, totals: list[int]) -> None:
    assert [here.counts.total for here in s.stages] == totals
    for here in s.stages:
        assert 0 <= here.counts.running <= here.max_parallel
        assert min(here.counts.model_dump().values()) >= 0
        if here.counts.waiting or here.counts.running:
            assert here.why is not None
    busy = [i for i, here in enumerate(s.stages) if here.counts.running]
    assert len(busy) <= 1
    if busy and s.state is S.APPLYING:  # an earlier one waits again only for what people try again
        assert all(earlier.state is StageState.COMPLETE or earlier.counts.waiting for earlier in s.stages[: busy[0]])
    if s.state in ENDED:
        assert s.counts.waiting == s.counts.running == 0
