"""A strategy from its creation to its end, on real Kafka and PostgreSQL; the test plays the deployer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from services.strategy_orchestrator.app import wire
from shared.messages import deployer
from shared.messages.base import CommandRejected, Fault
from shared.messages.deployer import OperationSucceeded, RequestOperation, RequestOperations
from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    CommandAccepted,
    Counts,
    CreateStrategy,
    DeleteStrategy,
    PauseStrategy,
    RegisterSites,
    RemoveSites,
    ResumeStrategy,
    RetryFailed,
    Site,
    SitesHeld,
    SitesReleased,
    SiteState,
    StageProgressed,
    StepsChanged,
    StrategyPlanned,
    StrategyStateChanged,
)
from shared.messages.words import StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import Devices, learned, publish, register, spec
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

NAME = "strategy_orchestrator"
IN_ORDER = {"name": "all", "sites": ["s-000", "s-001", "s-002"]}
"""A stage whose sites start in this order; otherwise they are shuffled."""


@asynccontextmanager
async def orchestrated(
    world: World, sites: int, outcome: Callable[[RequestOperation], str] = lambda _: "succeed"
) -> AsyncIterator[tuple[Service, Devices]]:
    await publish(world)
    devices = Devices(world, outcome)
    async with world.run(NAME, wire) as service:
        await learned(service)
        if sites:
            await register(world, sites)
        yield service, devices
    await devices.stop()


async def create(world: World, **fields: object) -> str:
    answer = await world.ask(CreateStrategy(spec=spec(**fields)))
    assert isinstance(answer, CommandAccepted), answer
    return str(answer.result["strategy_id"])


async def state(world: World, strategy_id: str, wanted: StrategyState) -> StrategyStateChanged:
    return await world.until(
        StrategyStateChanged, lambda e: e.strategy_id == strategy_id and e.state is wanted and wanted != "ready"
    )


async def test_a_strategy_runs_stage_by_stage_to_its_end(world: World) -> None:
    async with orchestrated(world, 12) as (service, devices):
        stages = [{"name": "canary", "take": 1}, {"name": "half", "take": "50%"}, {"name": "rest"}]
        strategy_id = await create(world, stages=stages, max_parallel=3)
        planned = await world.until(StrategyPlanned)
        assert [(s.name, s.sites) for s in planned.stages] == [("canary", 1), ("half", 6), ("rest", 5)]
        assert not devices.commands
        await world.ask(ApplyStrategy(strategy="first"))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=12)
        assert len(devices.commands) == 12
        assert devices.most_running <= 3
        await world.until(SitesReleased)
        assert await service.pool.fetchval("select count(*) from hold") == 0
        assert {e.site for e in world.events(SiteState)} == {f"s-{n:03}" for n in range(12)}


async def test_a_large_strategy_begins_on_tables_that_postgresql_takes_for_almost_empty(world: World) -> None:
    """Nobody counts the rows again while the transaction runs that holds the sites: no statement of it may need that.

    Joined row by row to a table that is believed to be empty, so many sites take longer than a statement may.
    """
    async with orchestrated(world, 5) as (service, devices):
        first = await create(world, max_parallel=5)
        await world.ask(ApplyStrategy(strategy=first))
        await state(world, first, StrategyState.COMPLETE)
        await world.until(SitesReleased)
        for table in ("hold", "step", "strategy", "site"):
            await service.pool.execute(f"alter table {table} set (autovacuum_enabled = false)")
            await service.pool.execute(f"analyze {table}")
        devices.outcome = lambda _: "hold"
        await register(world, 50_000)
        second = await create(world, name="second", max_parallel=2)
        third = await create(world, name="third", max_parallel=2)
        assert isinstance(await world.ask(ApplyStrategy(strategy=second)), CommandAccepted)
        assert await service.pool.fetchval("select count(*) from hold") == 49_995
        refused = await world.ask(ApplyStrategy(strategy=third))
        assert isinstance(refused, CommandRejected)
        first_ones = "select site from step where strategy_id = $1 order by position limit 20"
        assert [f.value for f in refused.faults] == [row["site"] for row in await service.pool.fetch(first_ones, third)]
        assert {fault.code for fault in refused.faults} == {"site_held"}


async def test_every_sequence_of_a_strategy_rises_by_one(world: World) -> None:
    async with orchestrated(world, 5):
        strategy_id = await create(world, max_parallel=2)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.COMPLETE)
        kinds = (StrategyPlanned, StepsChanged, StageProgressed, StrategyStateChanged)
        numbers = [e.sequence for e in world.seen if isinstance(e.data, kinds)]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_events_told_twice_count_once(world: World) -> None:
    async with orchestrated(world, 8) as (_, devices):
        devices.repeat = 3
        strategy_id = await create(world, max_parallel=2)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=8)
        assert len(world.events(SiteState)) == 8


async def test_a_failed_canary_stops_the_roll_out_before_the_others(world: World) -> None:
    async with orchestrated(world, 6, lambda c: "fail" if c.site == "s-000" else "succeed") as (_, devices):
        strategy_id = await create(world, stages=[{"name": "canary", "sites": ["s-000"]}, {"name": "rest"}])
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(failed=1, aborted=5)
        assert ended.why.code == "failure_threshold"
        assert [c.site for c in devices.commands.values()] == ["s-000"]


async def test_retry_runs_failed_and_aborted_sites_again_and_no_others(world: World) -> None:
    failing = {"s-001"}
    async with orchestrated(world, 3, lambda c: "fail" if c.site in failing else "succeed") as (_, devices):
        strategy_id = await create(world, max_parallel=1, stages=[IN_ORDER])
        await world.ask(ApplyStrategy(strategy=strategy_id))
        await state(world, strategy_id, StrategyState.FAILED)
        failing.clear()
        await world.ask(RetryFailed(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=3)
        assert [c.site for c in devices.commands.values()] == ["s-000", "s-001", "s-001", "s-002"]


async def test_a_paused_strategy_starts_nothing_until_it_is_resumed(world: World) -> None:
    async with orchestrated(world, 4, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        await world.until(RequestOperations)
        await world.ask(PauseStrategy(strategy=strategy_id, reason="lunch"))
        await devices.release()
        paused = await world.until(StageProgressed, lambda e: e.counts.complete == 1)
        assert paused.counts == Counts(waiting=3, complete=1)
        assert paused.why is not None
        assert paused.why.code == "paused"
        assert "lunch" in paused.why.message
        idle = await world.until(StrategyStateChanged, lambda e: "undo" in e.actions)
        assert (idle.renewed, idle.actions) == (True, ("resume", "skip", "abort", "undo")), "nothing runs any more"
        devices.outcome = lambda _: "succeed"
        await world.ask(ResumeStrategy(strategy=strategy_id))
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=4)


async def test_an_abort_lets_running_sites_finish(world: World) -> None:
    async with orchestrated(world, 5, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=2)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        await world.until(StepsChanged, lambda e: any(s.state == "running" for s in e.steps))
        answer = await world.ask(AbortStrategy(strategy=strategy_id))
        assert isinstance(answer, CommandAccepted)
        assert answer.result["state"] == "aborting"
        while len(devices.held) < 2:
            async with world.news:
                await world.news.wait()
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.ABORTED)
        assert ended.counts == Counts(complete=2, aborted=3)


@pytest.mark.parametrize(("said", "asked"), [({}, None), ({"step_timeout_seconds": 3600}, 3600)])
async def test_an_hour_is_asked_for_where_somebody_said_so_and_else_what_the_release_says(
    world: World, said: dict[str, int], asked: int | None
) -> None:
    async with orchestrated(world, 1):
        strategy_id = await create(world, **said)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        assert (await world.until(RequestOperations)).timeout_seconds == asked
        await state(world, strategy_id, StrategyState.COMPLETE)


async def test_a_refusal_of_somebody_elses_command_ends_no_step_whatever_its_id(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (_, devices):
        strategy_id = await create(world)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        asked = await world.until(RequestOperations)
        batch = next(e.id for e in world.seen if e.data is asked)
        fault = Fault(code="wrong_state", field="site", message="no")
        facts = {"command_id": batch, "about": strategy_id, "code": fault.code, "faults": (fault,)}
        await world.send(deployer.CommandRejected(command_type=RequestOperation.TYPE, **facts))
        while len(devices.held) < 2:
            async with world.news:
                await world.news.wait()
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)


async def test_a_soak_ends_by_a_timer_also_after_a_restart(world: World) -> None:
    await publish(world)
    devices = Devices(world)
    async with world.run(NAME, wire) as service:
        await learned(service)
        await register(world, 2)
        stages = [{"name": "canary", "take": 1, "soak_seconds": 2}, {"name": "rest"}]
        strategy_id = await create(world, stages=stages)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        await world.until(StageProgressed, lambda e: e.state == "soaking")
    async with world.run(NAME, wire, "2"):
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=2)
    await devices.stop()


async def test_a_busy_site_waits_without_a_slot_until_its_operation_ends(world: World) -> None:
    busy = {"s-000"}
    async with orchestrated(
        world,
        3,
        lambda c: "reject:site_busy" if c.site in busy and c.strategy_id else "hold" if c.site in busy else "succeed",
    ) as (_, devices):
        strategy_id = await create(world, max_parallel=1, stages=[IN_ORDER])
        await world.ask(ApplyStrategy(strategy=strategy_id))
        stuck = await world.until(StageProgressed, lambda e: e.counts.complete == 2)
        assert stuck.why is not None
        assert stuck.why.code == "site_busy"
        single = RequestOperation(site="s-000", app="shop", kind="apply", version="1.0")
        operation = await world.send(single, message_id="single-1")
        while operation not in devices.held:
            async with world.news:
                await world.news.wait()
        busy.clear()
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=3)


async def test_an_end_that_comes_after_a_later_one_changes_nothing(world: World) -> None:
    async with orchestrated(world, 1, lambda c: "succeed" if c.strategy_id else "hold") as (service, _):
        strategy_id = await create(world, selection={"all": True})
        single = RequestOperation(site="s-000", app="shop", kind="apply", version="1.0")
        await world.send(single, message_id="by-hand")
        await started(service, "by-hand")
        await world.ask(ApplyStrategy(strategy=strategy_id))
        state = await world.until(SiteState)
        facts = {"kind": "apply", "from_version": None, "to_version": "0.9", "version": "0.9", "seconds": 1}
        late = {"operation_id": "by-hand", "site": "s-000", "app": "shop", "status": "operational", "nth": 0, **facts}
        await world.send(OperationSucceeded.model_validate(late))
        await started(service, None)
        assert await service.pool.fetchval("select version from deployment") == state.version != "0.9"
        assert [s.version for s in world.events(SiteState)] == [state.version]


async def started(service: Service, operation: str | None) -> None:
    """Until the only site is known to run this single operation, or none."""
    async with patience(20):
        while await service.pool.fetchval("select operation_id from site") != operation:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_site_takes_part_in_one_strategy_at_a_time(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (_, devices):
        first, second = await create(world, name="one"), await create(world, name="two")
        await world.ask(ApplyStrategy(strategy=first))
        held = await world.until(SitesHeld)
        assert held.names == ("s-000", "s-001")
        refusal = await world.ask(ApplyStrategy(strategy=second))
        assert isinstance(refusal, CommandRejected)
        assert [f.code for f in refusal.faults] == ["site_held", "site_held"]
        assert all("strategy one holds" in fault.message for fault in refusal.faults)
        third = await create(world, name="three", selection={"sites": ["s-000"]})
        removal = await world.ask(RemoveSites(names=("s-000",)))
        assert isinstance(removal, CommandRejected)
        assert "strategy one holds" in removal.faults[0].message
        await world.ask(AbortStrategy(strategy=first))
        await devices.release("fail")
        await state(world, first, StrategyState.ABORTED)
        assert isinstance(await world.ask(ApplyStrategy(strategy=third)), CommandAccepted)


async def test_a_site_that_becomes_unmanaged_is_not_waited_for(world: World) -> None:
    async with orchestrated(world, 3, lambda _: "hold") as (_, devices):
        strategy_id = await create(world, max_parallel=1, stages=[IN_ORDER])
        await world.ask(ApplyStrategy(strategy=strategy_id))
        await world.ask(RegisterSites(sites=(Site(name="s-001", managed=False), Site(name="s-002", managed=False))))
        await world.until(RequestOperations)
        while not devices.held:
            async with world.news:
                await world.news.wait()
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(complete=1, aborted=2)


async def test_two_replicas_share_the_work_and_never_exceed_the_limit(world: World) -> None:
    await publish(world)
    devices = Devices(world)
    async with world.run(NAME, wire, "1"), world.run(NAME, wire, "2") as service:
        await learned(service)
        await register(world, 60)
        strategy_id = await create(world, max_parallel=7)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=60)
        assert len(devices.commands) == 60
        assert devices.most_running <= 7
        assert await service.pool.fetchval("select count(*) from outbox") >= 0
    await devices.stop()


async def test_deleting_keeps_the_history_and_frees_the_name(world: World) -> None:
    async with orchestrated(world, 1) as (service, _):
        first = await create(world)
        assert isinstance(await world.ask(DeleteStrategy(strategy="first")), CommandAccepted)
        second = await create(world)
        assert first != second
        assert await service.pool.fetchval("select count(*) from strategy") == 2
        again = await world.ask(DeleteStrategy(strategy=first))
        assert isinstance(again, CommandRejected)
        assert again.code == "unknown_strategy"


async def test_a_deployer_that_has_not_heard_of_a_site_yet_is_asked_again(world: World) -> None:
    refused: list[str] = []

    def outcome(command: RequestOperation) -> str:
        refused.append(command.site)
        return "reject:unknown_site" if refused.count("s-001") == 1 and command.site == "s-001" else "succeed"

    async with orchestrated(world, 3, outcome) as (_, devices):
        strategy_id = await create(world)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.COMPLETE)
        assert ended.counts == Counts(complete=3)
        assert sorted(refused) == ["s-000", "s-001", "s-001", "s-002"]
        assert devices.most_running <= 3


async def test_a_step_that_is_refused_for_good_has_failed(world: World) -> None:
    async with orchestrated(world, 1, lambda _: "reject:not_upgradable"):
        strategy_id = await create(world)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(failed=1)


@pytest.mark.parametrize("found", ["reject:platform_unfit", "fail:dependency_missing"])
async def test_sites_that_are_not_what_the_release_needs_do_not_stop_the_others(world: World, found: str) -> None:
    """Whether that is found when the operation is asked for, or when it begins."""
    async with orchestrated(world, 6, lambda c: found if c.site < "s-002" else "succeed"):
        strategy_id = await create(world, max_parallel=1)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(aborted=2, complete=4)


async def test_a_command_that_is_refused_as_a_whole_fails_each_of_its_steps_and_no_other(world: World) -> None:
    async with orchestrated(world, 5, lambda c: "reject-all:internal" if c.site < "s-003" else "succeed"):
        strategy_id = await create(world, max_parallel=1, on_failure=TOLERANT)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(failed=3, complete=2)


async def test_of_a_batch_only_the_operations_that_were_refused_fail(world: World) -> None:
    async with orchestrated(world, 300, lambda c: "reject:driver_mismatch" if c.site == "s-250" else "succeed"):
        strategy_id = await create(world, max_parallel=300, on_failure=TOLERANT)
        await world.ask(ApplyStrategy(strategy=strategy_id))
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert ended.counts == Counts(failed=1, complete=299)


async def test_a_strategy_may_have_an_id_with_dots_and_slashes(world: World) -> None:
    async with orchestrated(world, 2):
        command = CreateStrategy(spec=spec())
        await world.answer(await world.send(command, message_id="night.shift/3.1"))
        await world.ask(ApplyStrategy(strategy="night.shift/3.1"))
        assert (await state(world, "night.shift/3.1", StrategyState.COMPLETE)).counts == Counts(complete=2)


async def test_an_id_too_long_to_name_operations_by_is_refused(world: World) -> None:
    async with orchestrated(world, 1):
        answer = await world.answer(await world.send(CreateStrategy(spec=spec()), message_id="x" * 200))
        assert isinstance(answer, CommandRejected)
        assert [(fault.code, fault.field) for fault in answer.faults] == [("invalid_field", "ce_id")]


TOLERANT = {"stop_on_failure": False}
