"""When all has come to rest: nothing is to be sent, read, worked on or due any more."""

import asyncio
import time
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.notifier.batching import TIMER as TELL_BATCHES
from shared.process.provision import SERVICES
from shared.wire.topics import TOPICS
from tests.faults.stage import Stage
from tests.faults.watch import PREFIX

log = structlog.get_logger()

LEFT = """select
    (select count(*) from {0}.outbox) as outbox,
    (select count(*) from {0}.job where due_at <= now() + interval '5 seconds' or owner is not null) as jobs,
    (select count(*) from {0}.timer where due_at <= now() or kind = '{1}') as timers"""
"""What is to be told of together is awaited, however far its timer is."""

STILL_SECONDS = 1.5
"""Nothing new may come for so long."""


HOLD = "update deployer.check_bucket set owner = 'nobody', owned_until = 'infinity'"
"""Sites are asked for ever, and each round of it is told. Buckets that nobody may take are asked no more."""


async def hold_checks(stage: Stage, seconds: float) -> None:
    """Have no site asked any more, but those that somebody wants to know of. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                conn = await asyncpg.connect(stage.dsn, timeout=5)
                try:
                    return await _hold(conn)
                finally:
                    await conn.close()
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.3)  # the server is down just now


async def _hold(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    await conn.execute(HOLD)


async def come_to_rest(stage: Stage, seconds: float) -> dict[str, Any]:
    """Wait for it; returns what is left, nothing when all is at rest. Kafka and PostgreSQL must be up."""
    until = time.monotonic() + seconds
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.bootstrap)
    await consumer.start()
    try:
        left: dict[str, Any] = {"unknown": 1}
        ends: dict[TopicPartition, int] = {}
        while left and time.monotonic() < until:
            await asyncio.sleep(STILL_SECONDS)
            try:
                before, ends = ends, await _ends(consumer)
                left = await _left(stage, ends)
            except (KafkaError, OSError, asyncpg.PostgresError) as error:
                left = {"away": repr(error)}
            log.info("coming to rest", left=left)
            if not left and before != ends:
                left = {"records that still come": sum(ends.values()) - sum(before.values())}
        return left
    finally:
        await consumer.stop()


async def _ends(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    parts = [TopicPartition(PREFIX + topic.name, part) for topic in TOPICS.values() for part in range(topic.partitions)]
    found: dict[TopicPartition, int] = await consumer.end_offsets(parts)
    return found


async def _left(stage: Stage, ends: dict[TopicPartition, int]) -> dict[str, Any]:
    conn = await asyncpg.connect(stage.dsn, timeout=5)
    try:
        left: dict[str, Any] = {}
        for service in SERVICES:
            row = await conn.fetchrow(LEFT.format(service, TELL_BATCHES))
            left |= {f"{service} {what}": count for what, count in dict(row or {}).items() if count}
            for topic, part, offset in await conn.fetch(f"select topic, part, next_offset from {service}.consumed"):  # noqa: S608
                if lag := ends.get(TopicPartition(topic, part), 0) - offset:
                    left[f"{service} lag {topic}/{part}"] = lag
        return left
    finally:
        await conn.close()
