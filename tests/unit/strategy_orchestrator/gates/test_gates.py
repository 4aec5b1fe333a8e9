"""Gates: what is closed starts nothing and is the reason; what is open starts no more than each of them lets."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.strategy_orchestrator.domain import Stage, Strategy
from services.strategy_orchestrator.fleet.group_limits import UNGROUPED, GroupQueue, GroupUsage, startable
from services.strategy_orchestrator.gates import GATES, Closed, Open, Surroundings, ask
from services.strategy_orchestrator.rollout.advance import advance
from shared.messages.strategy import Counts, FailurePolicy, Why
from shared.messages.words import StageState, StrategyState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
S, G = StrategyState, StageState


def stage(position: int = 0, waiting: int = 4, running: int = 0, limit: int = 2, blocked: int = 0) -> Stage:
    state = G.RUNNING if running else G.WAITING
    return Stage(position, f"s{position}", state, Counts(waiting=waiting, running=running), limit, blocked=blocked)


def strategy(*stages: Stage, state: StrategyState = S.APPLYING) -> Strategy:
    return Strategy("id", "name", state, Why(code="paused", message="paused by ann"), FailurePolicy(), stages)


def asked(it: Strategy, position: int = 0, **around: object) -> Open | Closed:
    surroundings = Surroundings.of(it, around.get("groups", {}), around.get("queues", {}))  # type: ignore[arg-type]
    return ask(it.stages[position], surroundings, NOW)


@pytest.mark.parametrize(
    ("it", "code", "message"),
    [
        (strategy(stage(), state=S.READY), "not_started", "the strategy is ready and was not applied yet"),
        (strategy(stage(), state=S.PAUSED), "paused", "paused by ann"),
        (strategy(stage(running=2)), "max_parallel", "2 of 2 slots are taken"),
        (strategy(stage(waiting=1, blocked=1)), "site_busy", "busy with another operation: 1 site"),
    ],
)
def test_a_stage_says_what_keeps_it_closed(it: Strategy, code: str, message: str) -> None:
    answer = asked(it)
    assert isinstance(answer, Closed)
    assert (answer.code, answer.message) == (code, message)


def test_a_stage_waits_for_the_first_one_that_is_not_complete() -> None:
    done = replace(stage(0, waiting=0), state=G.COMPLETE)
    answer = asked(strategy(done, stage(1), stage(2)), 2)
    assert answer == Closed("earlier_stage", "stage s1 comes first")


def test_a_soak_says_until_when_to_the_stage_itself_and_to_those_behind_it() -> None:
    until = NOW + timedelta(minutes=5)
    soaking = replace(stage(0, waiting=0), state=G.SOAKING, soak_until=until)
    it = strategy(soaking, stage(1))
    assert asked(it, 0) == Closed("soaking", "soaks until 2026-01-01 00:05:00 UTC", until)
    assert asked(it, 1) == Closed("soaking", "stage s0 soaks until 2026-01-01 00:05:00 UTC", until)
    assert advance(it, Surroundings(it), NOW).look_again_at == until


def test_a_full_group_is_named_and_others_go_on_beside_it() -> None:
    groups = {"north": GroupUsage("north", "parallel", 2, sites=10, running=2)}
    north, rest = GroupQueue("north", 3, 0), GroupQueue(UNGROUPED, 1, 3)
    it = strategy(stage(limit=9))
    full = asked(it, groups=groups, queues={0: {"north": north}})
    assert full == Closed("group_limit", "group north: 2 of 2 sites change already")
    assert asked(it, groups=groups, queues={0: {"north": north, UNGROUPED: rest}}) == Open(1)


stages = st.lists(
    st.builds(
        lambda waiting, running, limit, blocked: stage(0, waiting, min(running, limit), limit, min(blocked, waiting)),
        st.integers(0, 9), st.integers(0, 5), st.integers(1, 5), st.integers(0, 9),
    ),
    min_size=1, max_size=4,
).map(lambda some: [replace(one, position=place, name=f"s{place}") for place, one in enumerate(some)])  # fmt: skip
usages = st.dictionaries(st.sampled_from("abc"), st.tuples(st.integers(1, 4), st.integers(0, 5)))
shares = st.lists(st.sampled_from(["a", "b", "c", UNGROUPED]), max_size=9)


@given(stages, st.sampled_from([S.READY, S.APPLYING, S.PAUSED, S.NEEDS_INSPECTION]), usages, shares)
def test_each_stage_that_waits_has_the_reason_of_its_first_closed_gate_and_nothing_starts_past_one(
    some: list[Stage], state: StrategyState, limits: dict[str, tuple[int, int]], of: list[str]
) -> None:
    it = strategy(*some, state=state)
    groups = {name: GroupUsage(name, "parallel", most, 10, running) for name, (most, running) in limits.items()}
    able = some[0].counts.waiting - some[0].blocked
    queues = (
        {0: {name: GroupQueue(name, of[:able].count(name), 0) for name in set(of[:able])}} if able <= len(of) else {}
    )
    decision = advance(it, Surroundings(it, groups, queues), NOW)
    around = Surroundings.of(decision.strategy, groups, queues)
    for place, now in enumerate(decision.strategy.stages):
        answers = [check(now, around, NOW) for check in GATES]
        closed = [answer for answer in answers if isinstance(answer, Closed)]
        starts = decision.start if decision.stage == place else 0
        if now.counts.waiting and closed:
            assert now.why == closed[0].why
            assert starts == 0
        elif now.counts.waiting:
            assert 0 < starts <= min(now.max_parallel - now.counts.running, now.counts.waiting - now.blocked)
            if place in queues:
                assert starts <= sum(startable(queue, groups) for queue in queues[place].values())
