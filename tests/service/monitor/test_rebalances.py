"""The monitor while partitions come and go: whatever faust makes of it, the process goes on and no record is lost."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.types import TP

from services.monitor.app import Monitor
from services.monitor.settings import MonitorSettings
from tests.service.monitor.test_monitor import forecast, grow, progress, sequences
from tests.support.patience import patience
from tests.support.world import PATIENCE, World

pytestmark = [pytest.mark.service, pytest.mark.long]


@asynccontextmanager
async def monitor(world: World) -> AsyncIterator[Monitor]:
    """A replica inside of this process, so that its faust can be struck. What ended it is raised here."""
    slow = {"restore_seconds": 300, "stall_seconds": 300, "memory_mib": 4_000}  # whatever else this machine does
    running = Monitor(world.settings("monitor"), MonitorSettings(sweep_seconds=0.2, **slow))
    task = asyncio.create_task(running.run())
    try:
        yield running
    finally:
        ended = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not ended, "it ended by itself"


def kafka_of(running: Monitor) -> Any:
    """aiokafka's consumer, which lives in a thread of its own."""
    return running.life.store.app.consumer._thread._consumer


async def in_its_thread(running: Monitor, call: Callable[[], Any]) -> None:
    await running.life.store.app.consumer._thread.call_thread(call)


async def rebalance(running: Monitor) -> None:
    """Make the group share its partitions anew, and await the end of that."""
    app = running.life.store.app
    before = app.rebalancing_count
    async with patience(PATIENCE):
        while app.rebalancing_count == before:
            # Asked in the moment in which one ends, it is forgotten.
            await in_its_thread(running, kafka_of(running)._coordinator.request_rejoin)
            await asyncio.sleep(0.2)
        while not running.life.sweep.joined:  # noqa: ASYNC110 - faust rings no bell
            await asyncio.sleep(0.01)


async def keep_sending(world: World) -> None:
    """One record after the other: as many as this machine takes beside all else."""
    for done in itertools.cycle(range(30)):
        for number in range(10):
            await world.send(progress(done, strategy=f"busy-{number}"))


async def test_it_outlives_many_rebalances_while_records_flow(world: World) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        await forecast(world, 0)
        sending = asyncio.create_task(keep_sending(world))
        for _ in range(15):
            await rebalance(running)
        sending.cancel()
        await world.send(progress(37))
        await forecast(world, 37)
        assert [end.cause for end in running.health.broke] == []


async def test_no_number_is_used_twice_where_a_table_was_restored_without_its_last_change(world: World) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        await forecast(world, 0)
        told = running.life.store.told
        before = dict(told.data)
        await world.send(progress(1))
        await forecast(world, 1)
        told.data.update(before)  # as whoever read the changelog's end before that change had come there
        await world.send(progress(2))
        await forecast(world, 2)
    assert grow(sequences(world))


async def test_it_seeks_where_records_are_fetched_and_nowhere_else(world: World) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        await forecast(world, 0)
        fetcher, threads = kafka_of(running)._fetcher, set()
        seek_to = fetcher.seek_to
        fetcher.seek_to = lambda tp, offset: (threads.add(threading.current_thread()), seek_to(tp, offset))
        await rebalance(running)
        await world.send(progress(1))
        await forecast(world, 1)
        assert threads
        assert threading.main_thread() not in threads


async def test_what_was_taken_away_a_moment_ago_has_no_end_and_cannot_be_committed(world: World) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        await forecast(world, 0)
        life, gone = running.life, TP(f"{world.prefix}strategy.events", 999)
        consumer = life.store.app.consumer
        assert consumer.highwater(gone) is None
        consumer.verify_event_path(1e9, gone)
        kafka_of(running).commit = refuse  # as aiokafka does between two generations
        await world.send(progress(1))
        await forecast(world, 1)
        await consumer.force_commit()
        assert running.life is life


async def refuse(*_: object) -> None:
    raise IllegalStateError("Partition is not assigned")


async def in_the_fetcher(app: Any) -> None:
    """What the campaign saw: KeyError out of the fetcher's thread."""
    await app._fetcher.crash(KeyError(TP("strategy.events", 3)))


async def in_a_rebalance(app: Any) -> None:
    """faust's own word for a fetcher that was cancelled; as a result of a task it would look like a stop of ours."""
    await app.crash(asyncio.CancelledError())


async def in_the_consumer(app: Any) -> None:
    await app.consumer.crash(AssertionError("Partition is not assigned"))


@pytest.mark.parametrize("crash", [in_the_fetcher, in_a_rebalance, in_the_consumer])
async def test_what_breaks_in_faust_is_started_anew_inside_the_process(
    world: World, crash: Callable[[Any], Awaitable[None]]
) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        await forecast(world, 0)
        await world.send(progress(5))
        await forecast(world, 5)
        threads = threading.active_count()
        for done in (6, 7, 8):
            await crash(running.life.store.app)
            await world.send(progress(done))
            await forecast(world, done)
        assert threading.active_count() <= threads + 1, "a broken application left its thread behind"
