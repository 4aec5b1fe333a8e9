"""A consumer that is none of ours in the group of a service, as a report or a copied setting makes it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer

from tests.support.world import World

NAME = "report-of-the-month"


@asynccontextmanager
async def stranger(world: World, service: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """It reads the topic in the group of the service until it is stopped, at the latest at the end of the block."""
    consumer = AIOKafkaConsumer(
        f"{world.prefix}{topic}",
        bootstrap_servers=world.kafka,
        group_id=f"{world.prefix}{service}",
        client_id=NAME,
        session_timeout_ms=6000,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()
