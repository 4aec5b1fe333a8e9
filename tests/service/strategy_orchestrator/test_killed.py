"""The orchestrator is killed in each state of a strategy of each type: it ends as if nothing had happened."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.strategy_orchestrator.app import wire
from shared.messages.deployer import RequestOperation, RequestOperations
from shared.messages.strategy import (
    ApplyStrategy,
    Counts,
    CreateStrategy,
    PauseStrategy,
    ResumeStrategy,
    SiteState,
    StrategyPlanned,
    StrategyStateChanged,
)
from shared.messages.words import OperationKind, StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import APP, Devices, learned, publish, register, spec
from tests.service.strategy_orchestrator.test_left_out import accepted, held_back
from tests.service.strategy_orchestrator.test_roll_out import NAME, create, orchestrated, state
from tests.service.strategy_orchestrator.test_site_conditions import aborted_with, in_order, told
from tests.support.replica import replica
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]

BEFORE = {
    "prestage": [],
    "apply": [],
    "update": [(OperationKind.APPLY, "1.0")],
    "rollback": [(OperationKind.APPLY, "1.0"), (OperationKind.UPDATE, "2.0")],
    "remove": [(OperationKind.APPLY, "1.0")],
}
"""What was done to each site before a strategy of the type can do something there."""

VERSION = {"prestage": "2.0", "apply": "2.0", "update": "2.0", "rollback": "1.0", "remove": None}
SITES = 4


async def ground(world: World, service: Service, kind: str) -> None:
    """Sites on which a strategy of this type has work to do."""
    await publish(world)
    await publish(world, "2.0")
    await learned(service, 2)
    names = await register(world, SITES)
    for number, (operation, version) in enumerate(BEFORE[kind], 1):
        for site in names:
            await world.send(RequestOperation(site=site, app=APP, kind=operation, version=version))
        await world.until(SiteState, lambda _, n=number: len(world.events(SiteState)) == n * SITES)


@asynccontextmanager
async def killed_once(world: World) -> AsyncIterator[None]:
    """An orchestrator for what is done meanwhile; then it dies at once, without a word."""
    async with replica(world, NAME) as process:
        yield
        await process.end(signal.SIGKILL)


@pytest.mark.parametrize("kind", BEFORE)
async def test_a_strategy_ends_as_if_nobody_had_been_killed(world: World, kind: str) -> None:
    devices = Devices(world)
    async with world.run(NAME, wire, "2") as service:
        await ground(world, service, kind)
    devices.outcome = lambda _: "hold"
    async with killed_once(world):  # it has read of its plan, or not yet
        wanted = spec(type=kind, version=VERSION[kind], max_parallel=2, stages=[in_order(SITES)])
        await world.send(CreateStrategy(spec=wanted), message_id="a")
    async with killed_once(world):  # planned, or not yet
        await world.until(StrategyPlanned)
        await world.send(ApplyStrategy(strategy="a"))
    async with killed_once(world):  # applied, or not yet
        await held_back(world, devices, 2)
        await devices.release(count=1)
    async with killed_once(world):  # a site has ended, and the next one may have begun
        await held_back(world, devices, 2)
        await accepted(world, PauseStrategy(strategy="a"))
    async with killed_once(world):  # paused
        await devices.release()
        await world.until(StrategyStateChanged, lambda e: e.counts == Counts(waiting=1, complete=3))
        await world.send(ResumeStrategy(strategy="a"))
    async with replica(world, NAME):
        await held_back(world, devices, 1)
        await devices.release()
        assert (await state(world, "a", StrategyState.COMPLETE)).counts == Counts(complete=SITES)
    asked_for = [o.operation_id for c in world.events(RequestOperations) for o in c.operations]
    assert sorted(set(asked_for)) == [f"a.{n}.1" for n in range(SITES)]
    assert devices.most_running <= 2
    await devices.stop()


async def test_what_was_to_catch_up_does_so_though_the_orchestrator_was_away_when_the_site_came_back(
    world: World,
) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await create(world, max_parallel=1, stages=[in_order(2)], catch_up_seconds=3600)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await told(world, "offline", "s-001")
        await aborted_with(world, strategy_id, "s-001", "offline")
        await devices.release()
        await state(world, strategy_id, StrategyState.FAILED)
        await service.pool.execute("update catch_up set due_at = now()")
    await told(world, "online", "s-001")
    devices = Devices(world)
    async with killed_once(world):
        pass
    async with replica(world, NAME):
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)
    await devices.stop()


async def test_the_time_of_a_strategy_that_passed_while_nobody_ran_counts(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await create(world, max_parallel=1, timeout_seconds=3600)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        held = dict(devices.held)
        await service.pool.execute("update timer set due_at = now() + interval '1 s' where kind = 'timeout'")
    devices = Devices(world, lambda _: "hold")  # it reads again what was asked before
    async with replica(world, NAME):
        aborting = await state(world, strategy_id, StrategyState.ABORTING)
        assert aborting.why.code == "timeout"
        for operation, command in held.items():
            await devices.end(operation, command, "succeed")
        assert (await state(world, strategy_id, StrategyState.FAILED)).counts == Counts(complete=1, aborted=1)
    await devices.stop()
