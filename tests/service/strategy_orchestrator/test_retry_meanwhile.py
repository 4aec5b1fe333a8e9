"""Failed sites are tried again while their strategy runs or is paused, against all that goes on meanwhile."""

import asyncio
from functools import partial

import pytest

from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    Counts,
    PauseStrategy,
    ResumeStrategy,
    RetryFailed,
    StageProgressed,
    StepsChanged,
    StrategyStateChanged,
)
from shared.messages.words import StepState, StrategyState
from tests.service.strategy_orchestrator.test_group_limits import begin, join, nothing_runs, running
from tests.service.strategy_orchestrator.test_left_out import accepted, codes, held_back, reason
from tests.service.strategy_orchestrator.test_roll_out import create, orchestrated, state
from tests.service.strategy_orchestrator.test_site_conditions import noted, told
from tests.support.world import World

pytestmark = pytest.mark.service

STAGES = [{"name": "first", "sites": ["s-000", "s-001"]}, {"name": "rest"}]
TOLERANT = {"threshold": 10}


async def attempt(world: World, site: str, state: str, number: int) -> None:
    """Until the step of a site stands so at its `number`-th try."""
    await world.until(
        StepsChanged, lambda e: any((s.site, s.state, s.attempt) == (site, state, number) for s in e.steps)
    )


async def test_a_site_of_the_stage_that_runs_is_tried_again_at_once_and_its_old_failure_counts_no_more(
    world: World,
) -> None:
    async with orchestrated(world, 4, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=2, on_failure={"threshold": 2})
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 2)
        first, second = (command.site for command in list(devices.held.values()))
        assert await codes(world, RetryFailed(strategy=strategy_id, sites=(first,))) == ["wrong_state"]
        await devices.release("fail", 1)
        await reason(world, strategy_id, first, StepState.FAILED)
        await accepted(world, RetryFailed(strategy=strategy_id, sites=(first,)))
        assert await codes(world, RetryFailed(strategy=strategy_id, sites=(first, second))) == ["wrong_state"] * 2
        devices.outcome = lambda _: "succeed"
        await devices.release("fail", 1)
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(complete=3, failed=1)
        assert devices.most_running == 2
        assert [c.site for c in devices.commands.values()].count(first) == 2


async def test_a_site_of_an_earlier_stage_waits_for_what_runs_and_the_later_stage_goes_on_after_it(
    world: World,
) -> None:
    failing = {"s-000"}
    async with orchestrated(world, 5, lambda c: "fail" if c.site in failing else "succeed") as (service, devices):
        strategy_id = await create(world, max_parallel=1, stages=STAGES, on_failure=TOLERANT)
        held = {"s-002", "s-003", "s-004"}
        devices.outcome = lambda c: "fail" if c.site in failing else "hold" if c.site in held else "succeed"
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        failing.clear()
        await accepted(world, RetryFailed(strategy=strategy_id, sites=("s-000",)))
        why = await service.pool.fetchval("select why_code from stage where position = 0")
        assert why == "later_stage"
        held.clear()
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=5)
        sites = [command.site for command in devices.commands.values()]
        assert (sites[3], devices.most_running) == ("s-000", 1)


async def test_a_paused_strategy_tries_again_once_it_goes_on_and_its_failures_count_anew(world: World) -> None:
    failing = {"s-000"}
    async with orchestrated(world, 4, lambda c: "fail" if c.site in failing else "succeed") as (_, devices):
        policy = {"threshold": 1, "then": "pause"}
        strategy_id = await create(world, max_parallel=1, stages=STAGES, on_failure=policy)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        paused = await state(world, strategy_id, StrategyState.PAUSED)
        assert "retry" in paused.actions
        await accepted(world, RetryFailed(strategy=strategy_id))
        before = len(devices.commands)
        again = await world.until(
            StrategyStateChanged, lambda e: e.state is StrategyState.PAUSED and not e.counts.failed
        )
        assert "retry" not in again.actions
        assert len(devices.commands) == before
        await accepted(world, ResumeStrategy(strategy=strategy_id))
        await attempt(world, "s-000", "failed", 2)
        failing.clear()
        await accepted(world, RetryFailed(strategy=strategy_id, sites=("s-000",)))
        await accepted(world, ResumeStrategy(strategy=strategy_id))
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=4)


async def test_where_nothing_failed_there_is_nothing_to_try_again(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        assert await codes(world, RetryFailed(strategy=strategy_id)) == ["nothing_to_do"]
        devices.outcome = lambda _: "succeed"
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)


async def test_of_a_pause_an_abort_and_retries_at_once_each_comes_whole_and_none_twice(world: World) -> None:
    """Commands of one poll, in any order: whatever is accepted is done, and the strategy ends."""
    failing = {"s-000", "s-001"}
    async with orchestrated(world, 6, lambda c: "fail" if c.site in failing else "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=2, stages=STAGES, on_failure=TOLERANT)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await world.until(StageProgressed, lambda e: e.counts.failed == 2)
        failing.clear()
        asked = [
            RetryFailed(strategy=strategy_id, sites=("s-000",)),
            RetryFailed(strategy=strategy_id, sites=("s-000", "s-001")),
            PauseStrategy(strategy=strategy_id),
            RetryFailed(strategy=strategy_id, sites=("s-001",)),
            AbortStrategy(strategy=strategy_id),
            RetryFailed(strategy=strategy_id),
        ]
        ids = [await world.send(command) for command in asked]
        answers = await asyncio.gather(*map(world.answer, ids))
        assert [type(answer).__name__ for answer in answers].count("CommandAccepted") == 4
        devices.outcome = lambda _: "succeed"
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.ABORTED)
        assert (ended.counts.waiting, ended.counts.running, ended.counts.total) == (0, 0, 6)


async def test_the_limit_of_a_group_holds_also_for_what_is_tried_again_beside_what_runs(world: World) -> None:
    async with running(world, "hold") as (service, devices):
        await join(world, "north", 5, max_parallel=2)
        await join(world, "south", 2, max_parallel=1)
        strategy_id = await begin(world, "all", on_failure=TOLERANT)
        await devices.until_held(3)
        await devices.release("fail", 2)
        await world.until(StageProgressed, lambda e: e.counts.failed == 2)
        await devices.until_held(3)
        failed = await service.pool.fetch("select site from step where state = 'failed'")
        names = tuple(row["site"] for row in failed)
        await accepted(world, RetryFailed(strategy=strategy_id, sites=names))
        devices.fate = "succeed"
        await devices.release()
        done = await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.COMPLETE)
        assert done.counts == Counts(complete=7)
        assert devices.most == {"north": 2, "south": 1}
        await nothing_runs(service)


async def test_a_busy_site_is_counted_once_when_others_of_its_group_are_tried_again(world: World) -> None:
    async with running(world) as (service, devices):
        names = await join(world, "north", 3, max_parallel=1)
        devices.busy = {names[0]}
        devices.outcome = lambda c: "fail" if c.site == names[1] else devices.count(c)
        strategy_id = await begin(world, "all", on_failure=TOLERANT)
        await world.until(StageProgressed, lambda e: e.counts.failed == 1)
        await world.until(StepsChanged, lambda e: any(s.why and s.why.code == "site_busy" for s in e.steps))
        devices.outcome = devices.count
        await accepted(world, RetryFailed(strategy=strategy_id, sites=(names[1],)))
        await attempt(world, names[1], "complete", 2)
        devices.busy = set()
        done = await world.until(StrategyStateChanged, lambda e: e.state is StrategyState.COMPLETE)
        assert done.counts == Counts(complete=3)
        await nothing_runs(service)


async def test_a_retry_of_which_all_sites_are_offline_tells_how_it_ended(world: World) -> None:
    async with orchestrated(world, 2, lambda c: "fail" if c.site == "s-000" else "succeed") as (service, _):
        strategy_id = await create(world, on_failure=TOLERANT)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.FAILED)
        await told(world, "offline", "s-000")
        await noted(service, "s-000", "offline")
        ends = len(world.events(StrategyStateChanged))
        for number in (2, 3):
            await accepted(world, RetryFailed(strategy=strategy_id, sites=("s-000",)))
            await attempt(world, "s-000", "aborted", number)
            await world.until(StrategyStateChanged, partial(_another_than, world, ends + number - 2))
            last = world.events(StrategyStateChanged)[-1]
            assert (last.state, last.renewed, last.counts) == ("failed", False, Counts(complete=1, aborted=1))


def _another_than(world: World, count: int, _: StrategyStateChanged) -> bool:
    return len(world.events(StrategyStateChanged)) > count
