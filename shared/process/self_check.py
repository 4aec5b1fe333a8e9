"""A service looks after itself: what is wrong is found every few seconds, for `/readyz`, the metrics, and who asks.

Each look is a handful of small requests to PostgreSQL and Kafka, none of them on the way of a record. What cannot be
looked at just now (Kafka or PostgreSQL is away) keeps what was found there last.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Gauge

from shared.core.bus import Consumer
from shared.core.errors import is_transient
from shared.core.relay import Relay
from shared.core.transaction import SQL, Timer
from shared.process.db import Pool
from shared.process.health import (
    KINDS,
    RESTARTS_WITHIN,
    TOLD_FOR,
    End,
    Finding,
    Lasting,
    Partition,
    late,
    outbox_stalled,
    partitions_stalled,
    records_refused,
    repeated,
    restarts,
    strangers,
    unknown,
)
from shared.process.runs import cause_of, ends_in, path_of
from shared.process.settings import Settings
from shared.wire.consumer_group import Group

log = structlog.get_logger()

Look = Callable[[], Awaitable[list[Finding]]]
"""One kind of look at the service. May raise what is transient."""

MOST_SECONDS = 5.0
"""For one look: while Kafka is away its client would wait for 40, and all other looks behind it."""


class SelfCheck:
    """What is wrong with one replica, as of the last look."""

    def __init__(self, settings: Settings, service: str, pool: Pool, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._service = service
        self._name = f"{service}-{settings.instance}"
        self._pool = pool
        self._limit = timedelta(seconds=settings.trouble_seconds)
        self._group = Group(settings, f"{settings.topic_prefix}{service}")
        self._still: Lasting[Partition] = Lasting()
        self._strange: Lasting[str] = Lasting()
        self._left: Lasting[str] = Lasting()
        self._found: dict[int, list[Finding]] = {}
        self.run_id = 0
        """Of this run in the ledger; 0 = none was begun."""
        self._broke: list[End] = []
        self.relay: Relay | None = None
        self.consumer: Consumer | None = None
        self.looks: list[Look] = [
            self._restarts,
            self._inside,
            self._outbox,
            self._partitions,
            self._put_aside,
            self._refused,
            self._lost,
        ]
        """More may be added by whoever knows of more that can be wrong."""
        self._codes = Gauge("belay_findings", "What is wrong, by kind", ["code"], registry=registry)
        self._oldest = Gauge("belay_outbox_oldest_seconds", "Age of the oldest record not yet sent", registry=registry)
        labels = ["topic", "partition"]
        self._stalled = Gauge("belay_partition_stalled", "1: it has records and no progress", labels, registry=registry)

    @property
    def findings(self) -> list[Finding]:
        """Everything that was wrong at the last look."""
        return [finding for number in sorted(self._found) for finding in self._found[number]]

    async def run(self) -> None:
        """Look until cancelled. Never ends by itself: who looks after others must not be what breaks them."""
        async with self._group:
            while True:
                await self.look()
                await asyncio.sleep(self._settings.look_seconds)

    async def look(self) -> None:
        """All looks once, each by itself."""
        for number, look in enumerate(self.looks):
            try:
                async with asyncio.timeout(MOST_SECONDS):
                    self._found[number] = await look()
            except Exception as error:
                if not is_transient(error) and not isinstance(error, KafkaError):
                    log.exception("a look at the service broke", action="watch_broke")
        for code in KINDS:
            self._codes.labels(code).set(sum(finding.code == code for finding in self.findings))

    async def _restarts(self) -> list[Finding]:
        """Its file also knows of starts that never reached the ledger, which outlives a home thrown away."""
        now = datetime.now(UTC)
        async with self._pool.acquire() as conn:
            rows = await SQL.fetch(conn, "find_ends", instance=self._settings.instance, within=RESTARTS_WITHIN)
        kept = [End(row["ended_at"], row["cause"]) for row in rows]
        noted = late(ends_in(path_of(self._settings.home, self._service, self._settings.instance)), now)
        return restarts(self._name, max(kept, noted, key=len), now)

    async def _inside(self) -> list[Finding]:
        return repeated(self._name, self._broke, datetime.now(UTC))

    def timer_broke(self, timer: Timer, error: BaseException) -> None:
        """A timer broke its handler; it is tried again later."""
        cause = f"timer {timer.kind} of {timer.key}: {cause_of(error)}"
        self._broke = [*self._broke[-19:], End(datetime.now(UTC), cause)]

    async def _outbox(self) -> list[Finding]:
        async with self._pool.acquire() as conn:
            seconds: float = await SQL.value(conn, "age_of_outbox")
        self._oldest.set(seconds)
        cause = self.relay.trouble if self.relay else ""
        return outbox_stalled(seconds, cause, self._limit.total_seconds(), datetime.now(UTC))

    async def _partitions(self) -> list[Finding]:
        """Every partition of our topics, also those of other replicas and of nobody, and the members of our group."""
        if self.consumer is None:
            return []
        now, readings, members = datetime.now(UTC), await self.consumer.readings(), await self._group.members()
        waiting: dict[Partition, object] = {place: each.position for place, each in readings.items() if each.unread}
        since = self._still.look(waiting, now)
        stalled = partitions_stalled(readings, since, members, self._limit, now)
        places = {finding.about for finding in stalled}
        owned = {f"{topic}/{part}" for member in members for topic, part in member.partitions}
        left = self._left.look(dict.fromkeys(places - owned, True), now)  # while a group shares out, nobody owns any
        if any(now - begun >= self._limit for begun in left.values()):
            self._left = Lasting()
            self.consumer.rejoin()
        for topic, part in readings:
            self._stalled.labels(topic, str(part)).set(f"{topic}/{part}" in places)
        strange = self._strange.look(unknown(members, await self._ours()), now)
        return [*stalled, *strangers(self._group.name, members, strange, self._limit, now)]

    async def _ours(self) -> set[str]:
        """The members that are replicas of ours, by their own words; we say ours first."""
        member = self.consumer.member if self.consumer else ""
        async with self._pool.acquire() as conn:
            await SQL.run(conn, "see_run", id=self.run_id, member=member)
            return {row["member"] for row in await SQL.fetch(conn, "find_members")} | {member}

    async def _refused(self) -> list[Finding]:
        async with self._pool.acquire() as conn:
            return records_refused(await SQL.value(conn, "count_refused"))

    async def _lost(self) -> list[Finding]:
        late = datetime.now(UTC) - TOLD_FOR
        return [found for found in (self.consumer.lost if self.consumer else []) if found.since and found.since > late]

    async def _put_aside(self) -> list[Finding]:
        async with self._pool.acquire() as conn:
            rows = await SQL.fetch(conn, "find_put_aside", within=TOLD_FOR)
        return [
            Finding(
                code="record_put_aside",
                about=f"{row['topic']}/{row['part']}/{row['first_offset']}",
                message=f"the record {row['topic']}/{row['part']}/{row['first_offset']} ended the process "
                f"{row['alone']} times and lies in the dead letters",
                since=row["put_aside_at"],
            )
            for row in rows
        ]
