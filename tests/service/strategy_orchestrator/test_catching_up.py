"""Sites that were offline catch up once they are back: within limits and time, counted exactly, and not for ever."""

import asyncio

import pytest

from shared.messages.strategy import (
    AbortStrategy,
    ApplyStrategy,
    Counts,
    DeleteStrategy,
    RetryFailed,
    StepsChanged,
    StrategyStateChanged,
)
from shared.messages.words import StrategyState
from shared.process.service import Service
from tests.service.strategy_orchestrator.fleet_of_devices import Devices
from tests.service.strategy_orchestrator.test_left_out import accepted, held_back
from tests.service.strategy_orchestrator.test_roll_out import create, orchestrated, state
from tests.service.strategy_orchestrator.test_site_conditions import aborted_with, in_order, noted, told
from tests.support.patience import patience
from tests.support.world import World

pytestmark = pytest.mark.service


async def test_sites_that_were_offline_catch_up_once_they_are_back_within_the_limits(world: World) -> None:
    async with orchestrated(world, 6, lambda _: "hold") as (service, devices):
        order = in_order(6)
        names = order["sites"]
        strategy_id = await create(world, max_parallel=2, stages=[order], catch_up_seconds=3600)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 2)
        await told(world, "offline", *names[3:])
        await aborted_with(world, strategy_id, "s-005", "offline")
        await devices.release()
        await held_back(world, devices, 1)
        await devices.release()
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert "3 sites that were offline are tried again once back, until" in ended.why.message
        await told(world, "online", *names[3:])
        await hurry(service)
        await held_back(world, devices, 2)
        again = await world.until(StrategyStateChanged, lambda e: e.why.code == "catching_up")
        assert again.counts.total == 6
        await devices.release()
        await held_back(world, devices, 1)
        await devices.release()
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=6)
        assert devices.most_running == 2
        assert await service.pool.fetchval("select count(*) from catch_up") == 0
        assert await service.pool.fetchval("select count(*) from hold") == 0


async def hurry(service: Service) -> None:
    """Whoever waits before a further try waits no longer."""
    await service.pool.execute("update catch_up set due_at = now()")
    await service.pool.execute("update timer set due_at = now() where kind = 'catch_up'")


async def test_a_site_that_was_back_before_the_end_catches_up_after_it(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await create(world, max_parallel=1, stages=[in_order(2)], catch_up_seconds=3600)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await told(world, "offline", "s-001")
        await aborted_with(world, strategy_id, "s-001", "offline")
        await told(world, "online", "s-001")
        await noted(service, "s-001", "online")
        devices.outcome = lambda _: "succeed"
        await devices.release()
        await state(world, strategy_id, StrategyState.FAILED)
        await hurry(service)
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)


async def offline_at_the_end(world: World, devices: Devices, **fields: object) -> str:
    """A strategy that ended with s-001 offline."""
    strategy_id = await create(world, max_parallel=1, stages=[in_order(2)], catch_up_seconds=3600, **fields)
    await accepted(world, ApplyStrategy(strategy=strategy_id))
    await held_back(world, devices, 1)
    await told(world, "offline", "s-001")
    await aborted_with(world, strategy_id, "s-001", "offline")
    devices.outcome = lambda _: "succeed"
    await devices.release()
    await state(world, strategy_id, StrategyState.FAILED)
    return strategy_id


async def test_a_deleted_strategy_catches_up_no_more(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await offline_at_the_end(world, devices)
        await accepted(world, DeleteStrategy(strategy=strategy_id))
        assert await service.pool.fetchval("select count(*) from catch_up") == 0
        await told(world, "online", "s-001")
        await nothing_follows(world, service, devices)


async def test_after_its_time_nothing_catches_up_and_the_strategy_says_so(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        await offline_at_the_end(world, devices)
        await service.pool.execute("update strategy set catch_up_until = now()")
        await service.pool.execute("update timer set due_at = now() where kind = 'catch_up'")
        ended = (StrategyState.FAILED, True, False)
        await world.until(StrategyStateChanged, lambda e: (e.state, e.renewed, "tried again" in e.why.message) == ended)
        await told(world, "online", "s-001")
        await nothing_follows(world, service, devices)


async def nothing_follows(world: World, service: Service, devices: Devices) -> None:
    await noted(service, "s-001", "online")
    await hurry(service)
    another = await create(world, name="another", selection={"sites": ["s-001"]})
    await accepted(world, ApplyStrategy(strategy=another))
    await state(world, another, StrategyState.COMPLETE)
    assert len(devices.commands) == 2, "the first site's, and that of the other strategy"


async def test_a_retry_by_a_person_takes_the_place_of_catching_up(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await offline_at_the_end(world, devices)
        await accepted(world, RetryFailed(strategy=strategy_id))
        await world.until(StepsChanged, lambda e: any((s.state, s.attempt) == ("aborted", 2) for s in e.steps))
        assert await service.pool.fetchval("select tries from catch_up") == 0
        await told(world, "online", "s-001")
        await hurry(service)
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)


async def test_a_site_that_comes_and_goes_is_not_tried_for_ever(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        await offline_at_the_end(world, devices)
        devices.outcome = lambda c: "fail:unreachable" if c.site == "s-001" else "succeed"
        await told(world, "online", "s-001")
        for attempt in range(2, 10):
            await failed_again(world, service, attempt)
        await world.until(StrategyStateChanged, lambda e: e.counts.failed == 1 and "tried again" not in e.why.message)
        await told(world, "offline", "s-001")
        await told(world, "online", "s-001")
        await nothing_tried(service)
        assert [c.site for c in devices.commands.values()].count("s-001") == 8


async def failed_again(world: World, service: Service, attempt: int) -> None:
    """Hurried until it was tried: a timer that is being set at this moment is not moved yet."""
    failed = ("failed", attempt)
    async with patience(60):
        while not any((s.state, s.attempt) == failed for e in world.events(StepsChanged) for s in e.steps):
            await hurry(service)
            await asyncio.sleep(0.1)


async def nothing_tried(service: Service) -> None:
    assert await service.pool.fetchval("select count(*) from catch_up") == 0
    assert await service.pool.fetchval("select count(*) from timer where kind = 'catch_up'") == 0


async def test_what_failures_stopped_is_not_gone_on_with_by_itself(world: World) -> None:
    async with orchestrated(world, 3, lambda _: "hold") as (service, devices):
        strategy_id = await create(world, max_parallel=1, stages=[in_order(3)], catch_up_seconds=60)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        await held_back(world, devices, 1)
        await told(world, "offline", "s-001")
        await aborted_with(world, strategy_id, "s-001", "offline")
        await devices.release("fail")
        ended = await state(world, strategy_id, StrategyState.FAILED)
        assert (ended.why.code, ended.counts) == ("failure_threshold", Counts(failed=1, aborted=2))
        await nothing_tried(service)


async def test_what_only_sites_that_were_offline_stopped_catches_up(world: World) -> None:
    async with orchestrated(world, 1, lambda _: "fail:unreachable") as (service, devices):
        strategy_id = await create(world, catch_up_seconds=60)
        await accepted(world, ApplyStrategy(strategy=strategy_id))
        assert (await state(world, strategy_id, StrategyState.FAILED)).why.code == "failure_threshold"
        devices.outcome = lambda _: "succeed"
        await hurry(service)
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=1)


async def test_an_abort_of_what_catches_up_ends_it(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await offline_at_the_end(world, devices)
        devices.outcome = lambda _: "hold"
        await told(world, "online", "s-001")
        await hurry(service)
        await held_back(world, devices, 1)
        await accepted(world, AbortStrategy(strategy=strategy_id))
        await devices.release("fail:unreachable")
        ended = await state(world, strategy_id, StrategyState.ABORTED)
        assert ended.counts == Counts(complete=1, failed=1)
        await nothing_tried(service)


async def test_a_site_that_another_strategy_holds_is_waited_for(world: World) -> None:
    async with orchestrated(world, 2, lambda _: "hold") as (service, devices):
        strategy_id = await offline_at_the_end(world, devices)
        devices.outcome = lambda _: "hold"
        await told(world, "online", "s-001")
        await noted(service, "s-001", "online")
        another = await create(world, name="another", selection={"sites": ["s-001"]})
        await accepted(world, ApplyStrategy(strategy=another))
        await held_back(world, devices, 1)
        await hurry(service)
        await devices.release("fail")
        await state(world, another, StrategyState.FAILED)
        devices.outcome = lambda _: "succeed"
        await hurry(service)
        await hurry(service)
        assert (await state(world, strategy_id, StrategyState.COMPLETE)).counts == Counts(complete=2)
