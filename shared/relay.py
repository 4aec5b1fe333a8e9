"""The relay: sends what lies in the outbox to Kafka, in order, and deletes what was acknowledged.

One relay owns a shard through an advisory lock that lives as long as its connection. The same connection reads and
deletes, so a relay that lost it can delete nothing. Between send and delete a crash sends again: consumers know such
records by sequence or id.
"""

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.bus import back_offs, start_whole
from shared.db import Connection, Pool
from shared.errors import is_transient
from shared.ledger import SHARDS, SQL, unpack_headers
from shared.settings import Settings
from shared.wakeup import Wakeup

log = structlog.get_logger()

BATCH = 1_000
STANDBY_SECONDS = 1.0
"""How often a replica without a shard asks whether one has become free."""


class Relay:
    """Owns as many shards of one service's outbox as it can get, and empties them."""

    def __init__(self, settings: Settings, pool: Pool, filled: Wakeup) -> None:
        self._settings = settings
        self._pool = pool
        self._filled = filled
        self.sent = 0

    async def run(self) -> None:
        """Relay until cancelled; what goes wrong is tried again with a new producer and a new connection."""
        waits = back_offs()
        while True:
            before = self.sent
            try:
                await self._relay()
            except Exception as error:
                if not isinstance(error, KafkaError) and not is_transient(error):
                    raise
                waits = back_offs() if self.sent > before else waits
                log.warning("the relay starts anew", action="relay_retry", error=repr(error)[:200])
                await asyncio.sleep(next(waits))

    async def _relay(self) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            max_batch_size=131_072,
            max_request_size=2_000_000,
            request_timeout_ms=10_000,
        )
        try:
            await start_whole(producer)
            async with self._pool.acquire() as conn:
                try:
                    await self._empty_for_ever(conn, producer)
                finally:
                    # Back in the pool the connection would keep the shards; closed, another relay gets them.
                    await asyncio.shield(conn.close(timeout=2))
        finally:
            await producer.stop()

    async def _empty_for_ever(self, conn: Connection, producer: AIOKafkaProducer) -> None:
        mine: list[int] = []
        while True:
            if len(mine) < SHARDS:
                mine += [s for s in range(SHARDS) if s not in mine and await SQL.value(conn, "try_shard", shard=s)]
            rows = await SQL.fetch(conn, "next_outbox", shards=mine, limit=BATCH)
            if rows:
                await self._send(producer, rows)
                await SQL.run(conn, "delete_outbox", ids=[row["id"] for row in rows])
                self.sent += len(rows)
            if len(rows) < BATCH:
                await self._filled.wait(self._settings.relay_fallback_ms / 1000 if mine else STANDBY_SECONDS)

    async def _send(self, producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record]) -> None:
        """Send in order and wait for every acknowledgement. Raises KafkaError when one is not given."""
        prefix = self._settings.topic_prefix
        pending = [
            await producer.send(
                prefix + row["topic"],
                row["payload"],
                key=row["key"],
                headers=unpack_headers(row["headers"]),
            )
            for row in rows
        ]
        await asyncio.gather(*pending)
