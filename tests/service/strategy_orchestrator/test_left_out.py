"""Sites that are busy, removed, left out or led to a release that is withdrawn: none of it passes without a word."""

import asyncio
from typing import Any

import pytest

from shared.messages.base import Command, CommandRejected
from shared.messages.catalog import ReleaseDeleted, ReleaseWithdrawn
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CommandAccepted,
    Counts,
    CreateStrategy,
    PauseStrategy,
    RegisterSites,
    RemoveSites,
    RetryFailed,
    Selection,
    Site,
    StepsChanged,
    StrategyPlanned,
    StrategyStateChanged,
    UndoStrategy,
)
from shared.messages.words import OperationKind, StepState, StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import APP, Devices, learned, publish, spec
from tests.service.strategy_orchestrator.test_roll_out import TOLERANT, create, orchestrated, started, state
from tests.support.world import World

pytestmark = pytest.mark.service

WITHDRAWN = ReleaseWithdrawn(release_id=f"{APP}-1.0", app=APP, version="1.0")


async def accepted(world: World, command: Command) -> str:
    """Send a command that must be taken; the id of the strategy that it is about."""
    answer = await world.ask(command)
    assert isinstance(answer, CommandAccepted), answer
    return str(answer.result.get("strategy_id", ""))


async def codes(world: World, command: Command) -> list[str]:
    answer = await world.ask(command)
    assert isinstance(answer, CommandRejected), answer
    return [fault.code for fault in answer.faults]


async def held_back(world: World, devices: Devices, count: int) -> None:
    async with asyncio.timeout(20), world.news:
        await world.news.wait_for(lambda: len(devices.held) == count)


async def reason(world: World, strategy_id: str, site: str, wanted: StepState) -> str:
    """Why a step is in this state."""

    def is_it(event: StepsChanged) -> bool:
        return event.strategy_id == strategy_id and any(s.site == site and s.state is wanted for s in event.steps)

    event = await world.until(StepsChanged, is_it)
    step = next(s for s in event.steps if s.site == site and s.state is wanted)
    return step.why.code if step.why else ""


async def test_complete_says_how_many_of_the_selected_sites_that_is(world: World) -> None:
    async with orchestrated(world, 5):
        off = tuple(Site(name=name, managed=False) for name in ("s-001", "s-004"))
        await accepted(world, RegisterSites(sites=off))
        strategy_id = await create(world)
        planned = await world.until(StrategyPlanned)
        assert planned.excluded_count == 2
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert (ended.counts, ended.why.message) == (Counts(complete=3), "3 of 5 sites are done; 2 left out")


async def test_a_site_that_is_busy_while_a_strategy_is_planned_takes_part_and_waits(world: World) -> None:
    async with orchestrated(world, 2, lambda c: "succeed" if c.strategy_id else "hold") as (service, devices):
        await accepted(world, RemoveSites(names=("s-001",)))
        await world.send(RequestOperation(site="s-000", app=APP, kind=OperationKind.APPLY, version="1.0"))
        await held_back(world, devices, 1)
        await started(service, next(iter(devices.held)))
        devices.outcome = lambda _: "reject:site_busy" if devices.held else "reject:already_current"
        strategy_id = await create(world, selection={"sites": ["s-000"]})
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        assert await reason(world, strategy_id, "s-000", StepState.WAITING) == ""
        await world.until(StepsChanged, lambda e: any(s.why and s.why.code == "site_busy" for s in e.steps))
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=1)
        assert await reason(world, strategy_id, "s-000", StepState.COMPLETE) == "already_there"


async def test_a_step_does_not_wait_for_the_end_of_an_operation_that_was_told_before_the_refusal(world: World) -> None:
    """They come over different partitions; nobody would ever tell of that end again."""
    busy = ["once"]
    async with orchestrated(world, 1, lambda _: "reject:site_busy" if busy and busy.pop() else "succeed"):
        strategy_id = await create(world)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=1)


async def test_a_site_that_was_repaired_by_hand_is_complete_in_a_retry_without_an_operation(world: World) -> None:
    async with orchestrated(world, 3, lambda c: "fail" if c.site == "s-001" else "succeed") as (_, devices):
        strategy_id = await create(world, on_failure=TOLERANT)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.FAILED)
        devices.outcome = lambda _: "reject:already_current"
        await accepted(world, RetryFailed(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert (ended.counts, ended.why.message) == (Counts(complete=3), "all 3 sites are done")
        assert [c.site for c in devices.commands.values()].count("s-000") == 1
        assert await reason(world, strategy_id, "s-001", StepState.COMPLETE) == "already_there"


async def test_a_site_that_was_scrapped_after_it_failed_does_not_keep_the_others_from_a_retry(world: World) -> None:
    broken = {"s-000", "s-001"}
    async with orchestrated(world, 4, lambda c: "fail" if c.site in broken else "succeed") as (service, _):
        strategy_id = await create(world, on_failure=TOLERANT)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.FAILED)
        broken.clear()
        await accepted(world, RemoveSites(names=("s-000",)))
        await accepted(world, RetryFailed(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=3, aborted=1)
        assert ended.why.message == "3 of 4 sites are done; 1 left out"
        assert await reason(world, strategy_id, "s-000", StepState.ABORTED) == "site_removed"
        assert await service.pool.fetchval("select count(*) from hold") == 0


async def test_a_site_that_was_scrapped_before_the_start_is_skipped_and_all_of_them_are_not(world: World) -> None:
    async with orchestrated(world, 3):
        part, all_gone = await create(world), await create(world, name="gone", selection={"sites": ["s-000"]})
        await accepted(world, RemoveSites(names=("s-000",)))
        assert await codes(world, ApplyStrategy(strategy=all_gone)) == ["nothing_to_do"]
        await accepted(world, ApplyStrategy(strategy=part))
        assert (await state(world, part, StrategyState.COMPLETE)).counts == Counts(complete=2, aborted=1)


async def test_a_release_that_is_withdrawn_ends_what_waits_for_it_at_once(world: World) -> None:
    async with orchestrated(world, 4, lambda _: "hold") as (_, devices):
        strategy_id, later = await create(world, max_parallel=1), await create(world, name="later")
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await world.send(WITHDRAWN)
        stopping = await state(world, strategy_id, StrategyState.ABORTING)
        assert (stopping.why.code, stopping.counts) == ("release_withdrawn", Counts(running=1, aborted=3))
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert (ended.why.code, ended.counts) == ("release_withdrawn", Counts(complete=1, aborted=3))
        assert len(devices.commands) == 1
        assert await codes(world, ApplyStrategy(strategy=later)) == ["release_withdrawn"]
        assert await codes(world, RetryFailed(strategy=strategy_id)) == ["release_withdrawn"]


async def test_of_a_rollback_to_several_releases_only_what_goes_to_the_withdrawn_one_ends(world: World) -> None:
    await publish(world, "1.1")
    async with orchestrated(world, 4) as (service, devices):
        await brought_up(world, service, {"1.0": ["s-000", "s-001"], "1.1": ["s-002", "s-003"]})
        devices.outcome = lambda _: "hold"
        back = await create(world, name="back", type="rollback", version=None, mixed=True, max_parallel=1)
        await accepted(world, ApplyStrategy(strategy=back))
        await held_back(world, devices, 1)
        await world.send(WITHDRAWN)
        assert await reason(world, back, "s-001", StepState.ABORTED) == "release_withdrawn"
        devices.outcome = lambda _: "succeed"
        await devices.release()
        ended = await state(world, back, StrategyState.FAILED)
        assert ended.counts == Counts(complete=3, aborted=1)
        assert devices.releases["s-003"] == ("1.1",)


async def test_a_release_that_was_withdrawn_blocks_the_retry_of_no_site_that_goes_elsewhere(world: World) -> None:
    await publish(world, "1.1")
    async with orchestrated(world, 2) as (service, devices):
        await brought_up(world, service, {"1.0": ["s-000"], "1.1": ["s-001"]})
        devices.outcome = lambda _: "fail"
        back = await create(world, name="back", type="rollback", version=None, mixed=True, on_failure=TOLERANT)
        await accepted(world, ApplyStrategy(strategy=back))
        await state(world, back, StrategyState.FAILED)
        await world.send(WITHDRAWN)
        async with asyncio.timeout(20):
            while not await service.pool.fetchval("select bool_or(withdrawn) from release"):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        devices.outcome = lambda _: "succeed"
        await accepted(world, RetryFailed(strategy=back))
        await world.until(
            StrategyStateChanged, lambda e: e.strategy_id == back and e.counts == Counts(complete=1, aborted=1)
        )
        assert devices.releases == {"s-000": ("1.0", "2.0"), "s-001": ("1.1",)}


async def test_undo_takes_the_sites_of_a_paused_strategy_over_and_waits_for_none_that_runs(world: World) -> None:
    async with orchestrated(world, 4, lambda _: "hold") as (service, devices):
        await publish(world, "1.1")
        await learned(service, 2)
        devices.outcome = lambda _: "succeed"
        first = await create(world)
        await accepted(world, ApplyStrategy(strategy=first))
        await state(world, first, StrategyState.COMPLETE)
        devices.outcome = lambda _: "hold"
        up = await create(world, name="up", type="update", version="1.1", max_parallel=2)
        assert await codes(world, UndoStrategy(strategy=up)) == ["wrong_state"]
        await accepted(world, ApplyStrategy(strategy=up))
        await held_back(world, devices, 2)
        await accepted(world, PauseStrategy(strategy=up))
        assert await codes(world, UndoStrategy(strategy=up)) == ["wrong_state"]
        await devices.release("lose", 1)
        await devices.release("fail", 1)
        async with asyncio.timeout(20):
            while await service.pool.fetchval("select sum(running) from stage") > 0:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        back = await accepted(world, UndoStrategy(strategy=up, reason="it loses orders"))
        assert (await state(world, up, StrategyState.ABORTED)).why.message.endswith("undone by strategy undo-up")
        plan = await world.until(StrategyPlanned, lambda e: e.strategy_id == back)
        assert [(t.version, t.sites) for t in plan.targets] == [("1.0", 1)], "the other one was recovered"
        assert plan.spec.description == "undoes up: it loses orders"
        devices.outcome = lambda _: "succeed"
        await accepted(world, ApplyStrategy(strategy=back))
        assert (await state(world, back, StrategyState.COMPLETE)).counts == Counts(complete=1)


async def test_undo_of_what_is_not_there_or_concerns_another_app_is_refused(world: World) -> None:
    async with orchestrated(world, 1):
        strategy_id = await create(world)
        assert await codes(world, UndoStrategy(strategy="ghost")) == ["unknown_strategy"]
        facts = {"type": "rollback", "version": None, "selection": {}, "name": "back"}
        assert await codes(world, CreateStrategy(spec=spec(**facts, undo="ghost"))) == ["unknown_strategy"]
        assert await codes(world, CreateStrategy(spec=spec(**facts, undo="first", app="till"))) == ["invalid_field"]
        await accepted(world, AbortStrategy(strategy=strategy_id))
        assert await codes(world, UndoStrategy(strategy="first")) == ["nothing_to_do"]
        refused = await world.ask(UndoStrategy(strategy="first", name="first", selection=Selection(sites=("nowhere",))))
        assert isinstance(refused, CommandRejected)
        assert {fault.field for fault in refused.faults} == {"name", "selection.sites.0"}


async def brought_up(world: World, service: Service, pasts: dict[str, list[str]]) -> None:
    """All these sites run 2.0, and come from different releases."""
    await learned(service, len(pasts))
    for version, sites in pasts.items():
        await done(world, name=f"to-{version}", version=version, selection={"sites": sites})
    await publish(world, "2.0")
    await learned(service, len(pasts) + 1)
    await done(world, name="up", type="update", version="2.0")


async def done(world: World, **spec: Any) -> None:
    strategy = await create(world, **spec)
    await accepted(world, ApplyStrategy(strategy=strategy))
    await state(world, strategy, StrategyState.COMPLETE)


async def test_what_was_said_of_a_deleted_release_and_comes_again_says_nothing_of_the_next_of_its_version(
    world: World,
) -> None:
    gone = ReleaseDeleted(release_id=f"{APP}-1.0", app=APP, version="1.0", bundle_sha256="0" * 64)
    async with orchestrated(world, 0) as (service, _):
        for event in (WITHDRAWN, gone):
            await world.send(event)
        await publish(world, release_id="another")
        await publish(world)
        for event in (WITHDRAWN, gone):
            await world.send(event)
        await publish(world, "2.0")
        await learned(service, 2)
        rows = await service.pool.fetch("select version, withdrawn from release order by version")
        assert [tuple(row) for row in rows] == [("1.0", False), ("2.0", False)]
