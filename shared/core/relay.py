"""The relay: sends what lies in the outbox to Kafka, in order, and deletes what was acknowledged.

One relay owns a shard through an advisory lock that lives as long as its connection. The same connection reads and
deletes, so a relay that lost it can delete nothing. Between send and delete a crash sends again: consumers know such
records by sequence or id.

A record that Kafka refuses for good (refusals.py) goes to a table of its own in the transaction that takes it off the
outbox, and all others are sent in order.
"""

import asyncio
import time
from asyncio import Future
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from shared.core.errors import is_transient
from shared.core.outbox import SHARDS, Outgoing, unpack, unpacked_bytes
from shared.core.refusals import refused_for_good
from shared.core.retrying import for_ever, to_its_end
from shared.core.transaction import SQL, put_aside
from shared.core.wakeup import Wakeup
from shared.process.db import Connection, Pool
from shared.process.settings import Settings
from shared.wire.kafka import producer, start_whole, stop_whole

log = structlog.get_logger()

BATCHES = 100
"""Sent in one go; each holds up to some hundred records."""

AT_ONCE = 32_000_000
"""Bytes that are read together, packed and unpacked. Of dead letters a batch may have many megabytes."""

STOP_SECONDS = 2.0
"""For what is being sent when the relay is told to stop: sent and not deleted, it would be sent once more at the next
start, and people would see its events twice."""

STANDBY_SECONDS = 1.0
"""How often a replica that lacks a shard asks whether it has become free."""


class Relay:
    """Owns as many shards of one service's outbox as it can get, and empties them."""

    def __init__(self, settings: Settings, pool: Pool, filled: Wakeup) -> None:
        self._settings = settings
        self._pool = pool
        self._filled = filled
        self.sent = 0
        self.trouble = ""
        """What went wrong last, until something is sent again."""

    async def run(self) -> None:
        """Relay until cancelled; what goes wrong is tried again with a new producer and a new connection."""
        await for_ever(self._until_trouble, "the relay starts anew", "relay_retry", _passes, lambda: self.sent)

    async def _until_trouble(self) -> None:
        try:
            await self._relay()
        except Exception as error:
            if refused_for_good(error):
                return  # put aside by now; but its producer would count on with a gap, which Kafka refuses
            self.trouble = repr(error)[:300]
            raise

    def _producer(self, *, idempotent: bool) -> AIOKafkaProducer:
        return producer(
            self._settings,
            enable_idempotence=idempotent,
            acks="all",
            max_batch_size=131_072,
            request_timeout_ms=10_000,
        )

    async def _relay(self) -> None:
        producer = self._producer(idempotent=True)
        try:
            await start_whole(producer)
            async with self._pool.acquire() as conn:
                try:
                    await self._empty_for_ever(conn, producer)
                finally:
                    # Back in the pool the connection would keep the shards; closed, another relay gets them.
                    with suppress(asyncpg.InterfaceError):  # it is gone already, and its reason is told
                        await asyncio.shield(conn.close(timeout=2))
        finally:
            await stop_whole(producer)

    async def _empty_for_ever(self, conn: Connection, producer: AIOKafkaProducer) -> None:
        channel = await self._listen(conn)
        mine: list[int] = []
        rings, tried_at = 0, -STANDBY_SECONDS
        while True:
            if len(mine) < SHARDS and time.monotonic() - tried_at >= STANDBY_SECONDS:
                tried_at = time.monotonic()
                mine += await self._take_over(conn, [shard for shard in range(SHARDS) if shard not in mine])
            if len(mine) < SHARDS and self._filled.rings != rings:  # whoever owns the other shards cannot hear our bell
                rings = self._filled.rings
                await SQL.fetch(conn, "call", channel=channel)
            if not await self._empty(conn, producer, mine):
                await self._filled.wait(self._settings.relay_fallback_ms / 1000)

    async def _take_over(self, conn: Connection, shards: Sequence[int]) -> list[int]:
        """Those of the shards that are ours from now on; whoever has some and fell silent loses them."""
        fallback = self._settings.relay_fallback_ms / 1000
        silent = timedelta(seconds=max(self._settings.lease_seconds, 3 * fallback))
        await SQL.fetch(conn, "end_silent_relays", silent=silent)
        return [row["shard"] for row in await SQL.fetch(conn, "try_shards", shards=shards)]

    async def _listen(self, conn: Connection) -> str:
        """Be woken by replicas that do not own all shards; they call after their commits, seldom and on the side."""
        channel = str(await SQL.value(conn, "outbox_channel"))
        await conn.add_listener(channel, lambda *_: self._filled.pass_on())
        return channel

    async def _empty(self, conn: Connection, producer: AIOKafkaProducer, shards: Sequence[int]) -> bool:
        """Send and delete what lies there, at most BATCHES; returns whether there may be more.

        Raises the KafkaError of a record that was refused for good, once all is done about it.
        """
        wanted = {"shards": shards, "limit": BATCHES, "bytes": AT_ONCE}
        found = await SQL.fetch(conn, "next_outbox", **wanted) if shards else []
        if rows := list(_at_once(found)):
            await to_its_end(self._send_and_delete(conn, producer, rows), STOP_SECONDS)
        return len(found) == BATCHES or len(rows) < len(found)

    async def _send_and_delete(
        self, conn: Connection, producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record]
    ) -> None:
        try:
            await self._send(producer, [record for row in rows for record in unpack(row["batch"])])
        except Exception as error:
            if refused_for_good(error):
                await self._sort_out(conn, rows)
            raise
        await SQL.run(conn, "delete_outbox", ids=[row["id"] for row in rows])
        self.sent += sum(row["records"] for row in rows)
        self.trouble = ""

    async def _sort_out(self, conn: Connection, rows: Sequence[asyncpg.Record]) -> None:
        """Send batch by batch, and record by record where one is refused; keep aside what is refused for good.

        Some are sent a second time by it, as after a crash; without idempotence, for a refusal leaves a gap in that.
        """
        producer = self._producer(idempotent=False)
        refused: list[tuple[Outgoing, str]] = []
        try:
            await start_whole(producer)
            for row in rows:
                refused += await self._refused_of(producer, unpack(row["batch"]))
        finally:
            await stop_whole(producer)
        async with conn.transaction():
            await put_aside(conn, refused)
            await SQL.run(conn, "delete_outbox", ids=[row["id"] for row in rows])
        self.sent += sum(row["records"] for row in rows) - len(refused)
        for (topic, *_), why in refused:
            log.error("a record was refused for good and is kept aside", action="record_refused", topic=topic, why=why)

    async def _refused_of(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> list[tuple[Outgoing, str]]:
        """Send these; which of them are refused for good, and why."""
        try:
            await self._send(producer, records)
        except Exception as error:
            if not (why := refused_for_good(error)):
                raise
            if len(records) == 1:
                return [(records[0], why)]
            return [found for record in records for found in await self._refused_of(producer, [record])]
        return []

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        """Send in order and wait for every acknowledgement. Raises KafkaError when one is not given."""
        by_topic: dict[str, list[Outgoing]] = {}
        for record in records:
            by_topic.setdefault(self._settings.topic_prefix + record[0], []).append(record)
        pending = [sent for topic, some in by_topic.items() for sent in await _send_topic(producer, topic, some)]
        outcomes = await asyncio.gather(*pending, return_exceptions=True)
        if errors := [outcome for outcome in outcomes if isinstance(outcome, BaseException)]:
            # A refusal first: what follows one in its partition fails only for that.
            raise next(filter(refused_for_good, errors), errors[0])


def _passes(error: BaseException) -> bool:
    return isinstance(error, KafkaError) or is_transient(error)


def _at_once(rows: Sequence[asyncpg.Record]) -> Iterator[asyncpg.Record]:
    """The first of these batches, as many as may be unpacked together."""
    size = 0
    for row in rows:
        if row["batch"] is None:
            return
        size += unpacked_bytes(row["batch"])
        if size > AT_ONCE and size > unpacked_bytes(row["batch"]):
            return
        yield row


async def _send_topic(producer: AIOKafkaProducer, topic: str, records: Sequence[Outgoing]) -> list[Future[Any]]:
    """Queue a topic's records in batches of our own: several times cheaper than record by record."""
    partitions = sorted(await producer.partitions_for(topic))
    split: dict[int, list[Outgoing]] = {}
    for record in records:
        split.setdefault(_PARTITIONER(record[1], partitions, partitions), []).append(record)
    return [
        await producer.send_batch(batch, topic, partition=partition)
        for partition, mine in split.items()
        for batch in _batches(producer, mine)
    ]


def _batches(producer: AIOKafkaProducer, records: Iterable[Outgoing]) -> Iterator[Any]:
    """As many as the records fill, closed: nothing lingers for more."""
    batch = producer.create_batch()
    for _, key, headers, body in records:
        if batch.append(key=key, value=body, headers=headers, timestamp=None) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(key=key, value=body, headers=headers, timestamp=None)
    batch.close()
    yield batch


_PARTITIONER = DefaultPartitioner()
