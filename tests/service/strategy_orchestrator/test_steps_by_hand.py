"""What people do to single steps, and what ends them before their turn: skip, retry of some, abort now, time-out."""

import pytest

from shared.messages.base import CommandRejected
from shared.messages.deployer import CancelOperation
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    Counts,
    PauseStrategy,
    ResumeStrategy,
    RetryFailed,
    SkipSteps,
    StepsChanged,
    StrategyStateChanged,
    UndoStrategy,
)
from shared.messages.words import StepState, StrategyState
from tests.service.strategy_orchestrator.test_left_out import accepted, codes, held_back, reason
from tests.service.strategy_orchestrator.test_roll_out import IN_ORDER, create, orchestrated, state
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_skipped_sites_are_left_out_and_do_not_make_the_strategy_fail(world: World) -> None:
    async with orchestrated(world, 4, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1)
        await accepted(world, SkipSteps(strategy=strategy_id, sites=("s-001",), reason="in the post"))
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        running = {command.site for command in devices.held.values()}
        waiting = sorted({f"s-{n:03}" for n in (0, 2, 3)} - running)[:1]
        await accepted(world, SkipSteps(strategy=strategy_id, sites=tuple(waiting)))
        devices.outcome = lambda _: "succeed"
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=2, aborted=2)
        assert ended.why.message == "2 of 4 sites are done; 2 left out"
        assert await reason(world, strategy_id, "s-001", StepState.ABORTED) == "skipped"
        told = {s.why.message for e in world.events(StepsChanged) for s in e.steps if s.site == "s-001" and s.why}
        assert told == {"skipped by an operator: in the post"}


async def test_only_what_waits_is_skipped_all_of_it_or_nothing(world: World) -> None:
    async with orchestrated(world, 3, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1, stages=[IN_ORDER])
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        wrong = SkipSteps(strategy=strategy_id, sites=("s-000", "nobody", "s-001"))
        assert await codes(world, wrong) == ["wrong_state", "unknown_step"]
        assert not [s for e in world.events(StepsChanged) for s in e.steps if s.state is StepState.ABORTED]
        devices.outcome = lambda _: "succeed"
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=3)
        assert await codes(world, SkipSteps(strategy=strategy_id, sites=("s-000",))) == ["wrong_state"]


async def test_a_strategy_of_which_every_site_was_skipped_has_nothing_to_start(world: World) -> None:
    async with orchestrated(world, 2):
        strategy_id = await create(world)
        await accepted(world, SkipSteps(strategy=strategy_id, sites=("s-000", "s-001")))
        assert await codes(world, ApplyStrategy(strategy=strategy_id)) == ["nothing_to_do"]


async def test_a_running_strategy_whose_last_waiting_sites_are_skipped_ends(world: World) -> None:
    async with orchestrated(world, 3, lambda _: "hold") as (service, devices):
        strategy_id = await create(world, max_parallel=1, stages=[IN_ORDER])
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await devices.release()
        await held_back(world, devices, 1)
        await accepted(world, PauseStrategy(strategy=strategy_id))
        await accepted(world, SkipSteps(strategy=strategy_id, sites=("s-002",)))
        await devices.release()
        await accepted(world, ResumeStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=2, aborted=1)
        assert await service.pool.fetchval("select skipped from strategy") == 1


async def test_one_site_is_tried_again_and_the_others_stay_as_they_are(world: World) -> None:
    failing = {"s-000", "s-001", "s-002"}
    async with orchestrated(world, 4, lambda c: "fail" if c.site in failing else "succeed") as (_, devices):
        strategy_id = await create(world, on_failure={"threshold": 4}, max_parallel=4)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        assert (await state(world, strategy_id, StrategyState.FAILED)).counts == Counts(complete=1, failed=3)
        wrong = RetryFailed(strategy=strategy_id, sites=("s-003", "nobody"))
        assert await codes(world, wrong) == ["wrong_state", "unknown_step"]
        failing.clear()
        await accepted(world, RetryFailed(strategy=strategy_id, sites=("s-001",), reason="a new cable"))
        await world.until(StrategyStateChanged, lambda e: e.counts == Counts(complete=2, failed=2))
        assert [c.site for c in devices.commands.values()].count("s-001") == 2
        assert len(devices.commands) == 5
        await accepted(world, RetryFailed(strategy=strategy_id))
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=4)


async def test_what_a_person_skipped_is_tried_again_only_by_name(world: World) -> None:
    failing = {"s-000"}
    async with orchestrated(world, 2, lambda c: "fail" if c.site in failing else "succeed") as (service, _):
        strategy_id = await create(world)
        await accepted(world, SkipSteps(strategy=strategy_id, sites=("s-001",)))
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.FAILED)
        await accepted(world, RetryFailed(strategy=strategy_id))
        await world.until(StepsChanged, lambda e: any((s.state, s.attempt) == ("failed", 2) for s in e.steps))
        failing.clear()
        await accepted(world, RetryFailed(strategy=strategy_id, sites=("s-000", "s-001")))
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)
        assert await service.pool.fetchrow("select skipped, round from strategy") == (0, 3)


async def test_a_retry_is_refused_while_another_one_runs(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "fail") as (_, devices):
        strategy_id = await create(world, on_failure={"threshold": 2})
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.FAILED)
        devices.outcome = lambda _: "hold"
        first, second = (RetryFailed(strategy=strategy_id, sites=("s-000",)) for _ in range(2))
        await accepted(world, first)
        assert await codes(world, second) == ["wrong_state"]
        await held_back(world, devices, 1)


async def test_an_abort_now_cancels_what_runs_as_well(world: World) -> None:
    async with orchestrated(world, 4, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=2)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 2)
        await accepted(world, AbortStrategy(strategy=strategy_id, now=True, reason="wrong release"))
        await world.until(CancelOperation, lambda _: len(world.events(CancelOperation)) == 2)
        assert {c.operation_id for c in world.events(CancelOperation)} == set(devices.held)
        await devices.release("fail")
        assert (await state(world, strategy_id, StrategyState.ABORTED)).counts == Counts(failed=2, aborted=2)


async def test_who_waits_for_an_abort_may_be_in_a_hurry_then(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await accepted(world, AbortStrategy(strategy=strategy_id))
        assert await codes(world, AbortStrategy(strategy=strategy_id)) == ["wrong_state"]
        await accepted(world, AbortStrategy(strategy=strategy_id, now=True))
        await world.until(CancelOperation)
        await devices.release("fail")
        await state(world, strategy_id, StrategyState.ABORTED)
        assert await codes(world, AbortStrategy(strategy=strategy_id, now=True)) == ["wrong_state"]


async def test_a_strategy_that_takes_too_long_goes_no_further(world: World) -> None:
    async with orchestrated(world, 3, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1, timeout_seconds=1)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        aborting = await state(world, strategy_id, StrategyState.ABORTING)
        assert aborting.why.code == "timeout"
        assert "1 s after its start" in aborting.why.message
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert (ended.counts, ended.why.code) == (Counts(complete=1, aborted=2), "timeout")


async def test_the_time_of_an_ended_strategy_stops_nothing(world: World) -> None:
    async with orchestrated(world, 1) as (service, _):
        strategy_id = await create(world, timeout_seconds=3600)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.COMPLETE)
        await service.pool.execute("update timer set due_at = now() where kind = 'timeout'")
        second = await create(world, name="second", timeout_seconds=1, force=True)
        await accepted(world, ApplyStrategy(strategy=second))
        await state(world, second, StrategyState.COMPLETE)
        assert await service.pool.fetchval("select count(*) from strategy where state = 'complete'") == 2


async def test_what_has_no_way_back_says_so(world: World) -> None:
    async with orchestrated(world, 1):
        first = await create(world)
        await accepted(world, ApplyStrategy(strategy=first))
        await state(world, first, StrategyState.COMPLETE)
        second = await create(world, name="second", type="remove", version=None)
        await accepted(world, ApplyStrategy(strategy=second))
        done = await state(world, second, StrategyState.COMPLETE)
        assert "undo" not in done.actions
        refused = await world.ask(UndoStrategy(strategy=second))
        assert isinstance(refused, CommandRejected)
        assert (refused.code, refused.faults[0].field) == ("not_undoable", "strategy")
