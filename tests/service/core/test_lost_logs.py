"""A topic that was deleted and made again: known by its id however long it is, told, and read from its beginning."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.core import bus
from shared.process.service import Service
from shared.wire.codec import encode
from shared.wire.topic_ids import topic_ids
from tests.service.core.counter import tally, wire
from tests.service.core.test_foreign_batches import command
from tests.support.patience import patience
from tests.support.world import PATIENCE, World

pytestmark = [pytest.mark.service, pytest.mark.long]

TOPIC = "strategy.commands"
BEFORE, AFTER = 3, 8
"""Commands in the log that is lost, and in the one that takes its place: it is longer."""


async def test_a_topic_made_again_while_nobody_looks_is_read_from_its_beginning(world: World) -> None:
    async with world.run("strategy_orchestrator", wire):
        await send(world, "old", BEFORE)
        await world.answer(f"old-{BEFORE - 1}")
    await make_anew(world)
    await send(world, "new", AFTER)
    async with world.run("strategy_orchestrator", wire) as service:
        await until_counted(service, BEFORE + AFTER)
        await told(world, service)
    async with world.run("strategy_orchestrator", wire) as service:  # told once, read once
        await send(world, "more", 1)
        await until_counted(service, BEFORE + AFTER + 1)
        assert set((await tally(service)).values()) == {1}


@pytest.mark.parametrize("after", [1, AFTER], ids=["shorter", "longer"])
async def test_a_topic_made_again_while_it_is_read_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(bus, "LOOK_SECONDS", 1.0)
    async with world.run("strategy_orchestrator", wire) as service:
        await send(world, "old", BEFORE)
        await world.answer(f"old-{BEFORE - 1}")
        await make_anew(world)
        await send(world, "new", after)
        await told(world, service)
        await until_counted(service, BEFORE + after)
        assert set((await tally(service)).values()) == {1}


async def test_a_row_that_an_older_version_left_learns_the_id_and_loses_nothing(world: World) -> None:
    async with world.run("strategy_orchestrator", wire) as service:
        await send(world, "old", BEFORE)
        await until_counted(service, BEFORE)
        await service.pool.execute("update consumed set topic_id = null")
    async with world.run("strategy_orchestrator", wire) as service:
        await send(world, "more", 1)
        await until_counted(service, BEFORE + 1)
        assert await service.pool.fetchval("select count(topic_id) from consumed") == 1
        assert await service.ledger.lost_logs() == []


async def test_ids_of_topics_differ_and_none_is_made_up(world: World) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=world.kafka)
    await consumer.start()
    try:
        names = [world.prefix + TOPIC, world.prefix + "strategy.events", world.prefix + "nowhere"]
        async with patience(PATIENCE):
            # A broker that made topics may hear of them itself a moment later.
            while len(ids := await topic_ids(consumer._client, names)) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (list(ids), len(set(ids.values()))) == (names[:2], 2)
        assert ids == await topic_ids(consumer._client, names[:2])
    finally:
        await consumer.stop()


async def told(world: World, service: Service) -> None:
    """A broker writes to the old log until it has heard of the new one: what came just then was read from the old."""
    async with patience(PATIENCE):
        while not (found := await service.ledger.lost_logs()):  # noqa: ASYNC110 - a table rings no bell
            await asyncio.sleep(0.05)
    (lost,) = found
    assert (lost.topic, lost.part) == (world.prefix + TOPIC, 0)
    assert lost.lost_from >= BEFORE


async def send(world: World, name: str, count: int) -> None:
    """By a producer of its own: one that knew the topic before counts on where it was."""
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka, acks="all")
    await producer.start()
    try:
        for number in range(count):
            key, headers, body = encode(command(f"{name}-{number}", f"{name}-{number}"))
            await producer.send_and_wait(world.prefix + TOPIC, body, key=key, headers=headers)
    finally:
        await producer.stop()


async def make_anew(world: World, topic: str = TOPIC, partitions: int = 1) -> None:
    admin, name = AIOKafkaAdminClient(bootstrap_servers=world.kafka), world.prefix + topic
    await admin.start()
    try:
        await admin.delete_topics([name])
        async with asyncio.timeout(30):
            while True:
                answer: Any = await admin.create_topics([NewTopic(name, partitions, 1)])
                if not answer.topic_errors[0][1]:
                    return
                await asyncio.sleep(0.1)  # Kafka is still deleting it
    finally:
        await admin.close()


async def until_counted(service: Service, sites: int) -> None:
    async with asyncio.timeout(90):
        while len(await tally(service)) < sites:  # noqa: ASYNC110 - a table rings no bell
            await asyncio.sleep(0.05)
