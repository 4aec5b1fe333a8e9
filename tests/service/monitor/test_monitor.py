"""The monitor as a process, on real Kafka: what it tells, and that restarts, repeats and poison do not change it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.messages.monitor import FailureRateHigh, StageForecast, StrategySilent
from shared.messages.strategy import Counts, StageProgressed
from shared.messages.words import StageState
from shared.wire.access import KafkaSettings
from tests.support.patience import patience
from tests.support.probe import PATIENCE, until_ready
from tests.support.replica import Replica, replica
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]


OF_ALL = {"look_seconds", "trouble_seconds", *KafkaSettings.model_fields}
"""Settings that every service has."""


@asynccontextmanager
async def monitor(world: World, instance: str = "1", **own: object) -> AsyncIterator[Replica]:
    """A running replica that looks at its stages often."""
    wanted = {"sweep_seconds": 0.2, **own}
    named = {name if name in OF_ALL else f"monitor_{name}": value for name, value in wanted.items()}
    async with replica(world, "monitor", instance, **named) as running:
        yield running


def progress(done: int, failed: int = 0, strategy: str = "s-1", **more: Any) -> StageProgressed:
    counts = Counts(waiting=40 - done - failed, running=2, complete=done, failed=failed)
    facts = {"stage": 0, "name": "all", "state": StageState.RUNNING, "max_parallel": 2, "at": datetime.now(UTC), **more}
    return StageProgressed(strategy_id=strategy, counts=counts, **facts)


async def forecast(world: World, finished: int, strategy: str = "s-1") -> StageForecast:
    """The first forecast that knows of so many finished sites."""
    return await world.until(
        StageForecast, lambda f: (f.finished_in_window, f.strategy_id) == (finished, strategy), PATIENCE
    )


def sequences(world: World) -> list[int]:
    return [e.sequence for e in world.seen if e.data.TYPE.startswith("belay.monitor.")]


def grow(numbers: list[int]) -> bool:
    return bool(numbers) and numbers[0] > 0 and all(before < after for before, after in pairwise(numbers))


async def test_it_forecasts_and_is_not_moved_by_repeats_nor_stopped_by_poison(world: World) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        assert (await forecast(world, 0)).eta_low is None
        last = progress(5)
        await world.send(last)
        assert (await forecast(world, 5)).eta_high is not None
        await world.send_raw("strategy.events", b"[]", {"ce_id": "p", "ce_type": StageProgressed.TYPE}, key=b"s-1")
        await world.send_raw("strategy.events", b"", {"ce_type": "what.is.this"}, key=b"s-1")
        await world.producer.send_and_wait(world.prefix + "strategy.events", None, key=b"s-1")
        for old in (progress(3, at=last.at - timedelta(seconds=1)), last, last):
            await world.send(old)
        await world.send(progress(6))
        await forecast(world, 6)
        assert {f.finished_in_window for f in world.events(StageForecast)} == {0, 5, 6}
        assert grow(sequences(world))
        await world.dead_letter(lambda r: dict(r.headers)["ce_id"] == b"p" if len(r.headers) > 4 else False)
        assert len(world.dead) == 3
        assert await running.end() == 0


async def test_killed_and_started_again_it_still_knows_what_it_knew(world: World) -> None:
    async with monitor(world) as running:
        await world.send(progress(0))
        await forecast(world, 0)
        await world.send(progress(5))
        await forecast(world, 5)
        await running.end(signal.SIGKILL)
    await world.send(progress(7))
    async with monitor(world) as running:
        await forecast(world, 7)
        assert grow(sequences(world))
        assert await running.end() == 0


async def test_failures_and_silence_are_told_once_each(world: World) -> None:
    own = {"silence_seconds": 1, "silence_pace": 1, "silence_first_seconds": 1000}
    async with monitor(world, **own):
        await world.send(progress(0))
        await forecast(world, 0)
        await world.send(progress(3, failed=3))
        alarm = await world.until(FailureRateHigh)
        assert (alarm.failed_in_window, alarm.failure_rate) == (3, 0.5)
        silent = await world.until(StrategySilent, patience=PATIENCE)
        assert (silent.strategy_id, silent.running) == ("s-1", 2)
        await world.send(progress(4, failed=4))
        await forecast(world, 8)
        await world.until(StrategySilent, lambda _: len(world.events(StrategySilent)) == 2, PATIENCE)
        assert len(world.events(FailureRateHigh)) == 1


async def test_replicas_share_the_strategies_and_one_takes_over_from_the_other(world: World) -> None:
    names = [f"s-{number}" for number in range(6)]
    async with monitor(world, "1") as first, monitor(world, "2"):
        for name in names:
            await world.send(progress(0, strategy=name))
        for name in names:
            await forecast(world, 0, name)
        await until_ready(world.home, "monitor", "1", "2")
        for name in names:
            await world.send(progress(4, strategy=name))
        for name in names:
            await forecast(world, 4, name)
        assert await first.end() == 0
        for name in names:
            await world.send(progress(6, strategy=name))
        for name in names:
            await forecast(world, 6, name)


async def test_a_replica_that_got_no_partition_is_ready_all_the_same(world: World) -> None:
    world.prefix += "narrow."
    await create_topic(world.kafka, f"{world.prefix}strategy.events")
    async with monitor(world, "1"), monitor(world, "2"):
        await until_ready(world.home, "monitor", "1", "2")


async def create_topic(bootstrap: str, name: str) -> None:
    """A topic of one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()


async def test_a_restore_that_stands_still_is_begun_anew_inside_the_process(world: World) -> None:
    async with monitor(world) as running:
        await until_ready(world.home, "monitor", "1")
        assert await running.end() == 0
    await end_in_a_transaction(world, f"{world.prefix}monitor-watches-v1-changelog")
    async with monitor(world, restore_seconds=2) as running:
        async with patience(60):
            while sum("nothing restored" in line for line in running.log) < 2:  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0.05)
        assert await running.end() == 0


async def end_in_a_transaction(world: World, topic: str) -> None:
    """Its last offset then holds a marker, which is never delivered: faust waits for it as long as it lives."""
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka, transactional_id=f"{topic}-marker")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait(topic, None, key=b"no-strategy", partition=0)
    finally:
        await producer.stop()


async def test_it_waits_for_kafka_and_stops_when_told_meanwhile(world: World) -> None:
    world.kafka = "127.0.0.1:9"
    async with monitor(world) as running:
        await running.until_said("waiting for Kafka")
        assert await running.end() == 0
