"""Strategies that ended long ago go, step by step; what runs, waits or may be begun anew stays, however old it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.strategy_orchestrator import pruning
from services.strategy_orchestrator.app import wire
from services.strategy_orchestrator.settings import OrchestratorSettings
from shared.core.pruning import prune
from shared.core.transaction import Transaction
from shared.messages.base import CommandAccepted, CommandRejected
from shared.messages.deployer import RequestOperation
from shared.messages.strategy import (
    ApplyStrategy,
    CreateStrategy,
    PauseStrategy,
    RetryFailed,
    SitesReleased,
    StrategyDeleted,
    StrategyStateChanged,
    UndoStrategy,
)
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import Devices, learned, publish, register, spec
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service

TABLES = ("strategy", "stage", "step")


@asynccontextmanager
async def fleet(world: World, sites: int = 3, **settings: float) -> AsyncIterator[tuple[Service, Devices]]:
    await publish(world)
    await publish(world, "2.0")
    async with world.run("strategy_orchestrator", wire, **settings) as service:
        await learned(service, 2)
        await register(world, sites)
        devices = Devices(world)
        try:
            yield service, devices
        finally:
            await devices.stop()


async def planned(world: World, name: str, **fields: object) -> str:
    answer = await world.ask(CreateStrategy(spec=spec(name=name, **fields)))
    assert isinstance(answer, CommandAccepted), answer
    return str(answer.result["strategy_id"])


async def started(world: World, name: str, **fields: object) -> str:
    strategy_id = await planned(world, name, **fields)
    assert isinstance(await world.ask(ApplyStrategy(strategy=strategy_id)), CommandAccepted)
    return strategy_id


async def ended(world: World, name: str, **fields: object) -> str:
    strategy_id = await started(world, name, **fields)
    await world.until(SitesReleased, lambda e: e.strategy_id == strategy_id)
    return strategy_id


async def age(service: Service, column: str, days: int) -> None:
    moved = f"update strategy set {column} = {column} - make_interval(days => $1)"  # noqa: S608
    await service.pool.execute(moved, days)


async def prune_all(service: Service) -> None:
    for one in pruning.prunings(service.settings, OrchestratorSettings()):
        await prune(service.ledger, one)


async def left(service: Service) -> dict[str, int]:
    return {table: await service.pool.fetchval(f"select count(*) from {table}") for table in TABLES}  # noqa: S608


async def test_a_strategy_that_ended_a_year_ago_is_deleted_and_everybody_is_told(world: World) -> None:
    async with fleet(world) as (service, _):
        old = await ended(world, "old")
        await age(service, "finished_at", 366)
        young = await ended(world, "young", version="2.0", type="update")
        await prune_all(service)
        event = await world.until(StrategyDeleted)
        assert (event.strategy_id, event.name, event.by) == (old, "old", "")
        assert event.reason == "it ended more than 365 days ago"
        kept = await service.pool.fetch("select id from strategy where deleted_at is null")
        assert [row["id"] for row in kept] == [young]
        last = max(e.sequence for e in world.seen if isinstance(e.data, StrategyStateChanged) and e.data.name == "old")
        assert [e.sequence for e in world.seen if isinstance(e.data, StrategyDeleted)] == [last + 1]
        await planned(world, "old", force=True)  # its name is free


async def test_a_plan_that_nobody_applied_in_ninety_days_is_deleted_and_what_is_paused_never(world: World) -> None:
    async with fleet(world) as (service, _):
        old, paused = await planned(world, "old"), await started(world, "paused", force=True, max_parallel=1)
        assert isinstance(await world.ask(PauseStrategy(strategy=paused)), CommandAccepted)
        await age(service, "created_at", 89)
        await prune_all(service)
        assert await service.pool.fetchval("select count(*) from strategy where deleted_at is null") == 2
        await age(service, "created_at", 2)
        await prune_all(service)
        event = await world.until(StrategyDeleted)
        assert (event.strategy_id, event.reason) == (old, "it was planned, and never applied, more than 90 days ago")
        assert isinstance(await world.ask(ApplyStrategy(strategy=old)), CommandRejected)
        kept = await service.pool.fetch("select id from strategy where deleted_at is null")
        assert [row["id"] for row in kept] == [paused]


async def test_what_was_deleted_can_be_undone_for_as_long_as_answers_are_kept_and_is_then_forgotten(
    world: World,
) -> None:
    async with fleet(world) as (service, _):
        await ended(world, "first")
        second = await ended(world, "second", version="2.0", type="update")
        await age(service, "finished_at", 366)
        await prune_all(service)
        await age(service, "deleted_at", 29)
        await prune_all(service)
        assert isinstance(await world.ask(UndoStrategy(strategy=second)), CommandAccepted)
        await age(service, "deleted_at", 2)
        await prune_all(service)
        assert await left(service) == {"strategy": 1, "stage": 1, "step": 3}
        assert isinstance(await world.ask(UndoStrategy(strategy=second, name="again")), CommandRejected)


async def test_steps_go_in_batches_and_the_strategy_with_the_last(world: World) -> None:
    async with fleet(world, sites=5) as (service, _):
        await ended(world, "old")
        await age(service, "finished_at", 366)
        await prune_all(service)
        await age(service, "deleted_at", 31)
        forget = pruning.forget(service.settings.inbox_days)
        seen = []
        more = True
        while more:
            async with service.ledger.transaction() as tx:
                more = await forget(tx, 2)
            seen.append((await left(service))["step"])
        assert seen == [3, 1, 0, 0]
        assert await left(service) == {"strategy": 0, "stage": 0, "step": 0}


@pytest.mark.parametrize("state", ["applying", "paused"])
async def test_what_was_started_and_has_not_ended_stays_however_old_it_is(world: World, state: str) -> None:
    async with fleet(world) as (service, devices):
        devices.outcome = lambda _: "hold"
        strategy_id = await started(world, "old", max_parallel=1)
        if state == "paused":
            assert isinstance(await world.ask(PauseStrategy(strategy=strategy_id)), CommandAccepted)
        for column in ("created_at", "started_at"):
            await age(service, column, 4_000)
        await prune_all(service)
        assert not await service.pool.fetchval("select deleted_at from strategy")
        assert (await left(service))["step"] == 3


async def test_a_failed_strategy_that_is_begun_anew_this_moment_is_left(world: World) -> None:
    async with fleet(world, sites=2) as (service, devices):
        devices.outcome = lambda _: "fail"
        strategy_id = await ended(world, "old")
        await age(service, "finished_at", 366)
        async with service.pool.acquire() as conn, conn.transaction():
            await conn.execute("select from strategy for update")
            async with asyncio.timeout(5):
                await prune_all(service)
        devices.outcome = lambda _: "succeed"
        assert isinstance(await world.ask(RetryFailed(strategy=strategy_id)), CommandAccepted)
        await world.until(StrategyStateChanged, lambda e: e.state == "complete")
        assert not world.events(StrategyDeleted)


async def test_pruning_beside_a_roll_out_does_no_harm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELAY_ORCHESTRATOR_STRATEGY_DAYS", "0.0000001")
    monkeypatch.setattr(pruning, "forget", lambda _days: at_once)
    async with fleet(world, sites=40, prune_seconds=0.01) as (service, devices):
        for number in range(4):
            version, kind = (("1.0", "apply"), ("2.0", "update"))[number % 2]
            await ended(world, f"roll-{number}", version=version, type=kind, force=True, max_parallel=7)
        assert devices.most_running <= 7
        assert len(devices.commands) == 160
        assert {c.version for c in devices.commands.values() if isinstance(c, RequestOperation)} == {"1.0", "2.0"}
        await world.until(StrategyDeleted, lambda e: e.name == "roll-3")
        async with patience(10):
            while any((await left(service)).values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


FORGET = pruning.forget(0)


async def at_once(tx: Transaction, limit: int) -> bool:
    """Forget what was deleted without waiting, a few steps at a time."""
    return await FORGET(tx, min(limit, 3))
