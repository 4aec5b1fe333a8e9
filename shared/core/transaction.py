"""The exactly-once core: one `Transaction` is one transaction in which a service reads, decides, writes and emits.

Whatever a transaction emits lies in the outbox of the same transaction; what it consumed is advanced there by
compare-and-set; timers and jobs are rows there too. So a crash at any point leaves all of it or none of it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from shared.core.errors import Fenced, TooLarge
from shared.core.outbox import Outgoing, batch_bytes, batches, pack, record_bytes, unpack
from shared.core.wakeup import Wakeup
from shared.messages.base import Message
from shared.process.db import Connection, Pool, Queries, columns
from shared.wire.codec import Envelope, Headers, encode, new_id, new_trace, readable
from shared.wire.topics import LIVE

NUMBERED_LAST = -1
"""The sequence of a message that gets its number right before the commit (`Transaction.next_numbers`): of an aggregate
for whose row all others wait. Taken earlier, it would be held while waiting for a row that one of those holds."""

UNNUMBERED = ("ce_sequence", b"")
"""Stands where the number will."""

BODY_LIMITS = {name: topic.max_body for name, topic in LIVE.items()}
"""A body below it fits, whatever its headers are: nothing else is counted in most cases."""

SQL = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of one partition: the records from `expected` up to, not including, `next_offset`."""

    topic: str
    part: int
    epoch: int
    expected: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Timer:
    """Something to do at a time. A timer of the same kind and key replaces the earlier one."""

    kind: str
    key: str
    due_at: datetime
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """A claimed piece of long work. Its result counts only while `token` is the current one."""

    id: str
    token: int
    attempt: int
    payload: dict[str, Any]
    settled: bool = False
    """Whoever works on it has finished it or given it back, or is about to: that it is his no more is no loss then, and
    he may clear up behind it."""


def _settled(job: Job) -> tuple[str, int]:
    job.settled = True
    return job.id, job.token


def _check_size(message: Message, size: int) -> None:
    if size > (limit := LIVE[message.TOPIC].max_bytes):
        raise TooLarge(message.TYPE, message.subject, size, limit)


@dataclass(frozen=True, slots=True)
class LostLog:
    """A partition whose log was lost or made anew once it was read up to `lost_from`; read from its beginning since."""

    topic: str
    part: int
    lost_at: datetime
    lost_from: int


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """A record that Kafka refused for good, as people see it; kept whole. `bytes` are of key, headers and body."""

    id: int
    topic: str
    type: str
    subject: str
    bytes: int
    reason: str
    refused_at: datetime


@dataclass(slots=True)
class Transaction:
    """One transaction's worth of work. Collects what to emit and writes it at the end, one round trip a kind."""

    conn: Connection
    source: str
    now: datetime
    outbox: list[Outgoing] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    queued: bool = False
    committed: list[Callable[[], None]] = field(default_factory=list)
    numbers_last: bool = False
    """Whether something was emitted with NUMBERED_LAST."""

    async def finish(self) -> None:
        """What follows from all that the handlers of this transaction did, once, before what was collected is written.

        For services whose transaction is of a class of their own (`Ledger.begin`): changes are saved here and told.
        """

    async def next_numbers(self, count: int) -> int:
        """The first of `count` numbers for what was emitted with NUMBERED_LAST; holds its aggregate until the commit.

        For services that have such an aggregate.
        """
        raise NotImplementedError

    def on_commit(self, call: Callable[[], None]) -> None:
        """Have `call` called once this transaction has committed; never when its outcome is unknown."""
        self.committed.append(call)

    def emit(
        self,
        message: Message,
        *,
        sequence: int = 0,
        cause: Envelope[Message] | None = None,
        message_id: str | None = None,
        actor: str = "",
        correlation_id: str = "",
        at: datetime | None = None,
    ) -> str:
        """Send `message` when this transaction commits; returns its id.

        `sequence` is that of the aggregate (rising by one, kept in its row), or NUMBERED_LAST;
        `cause` hands on correlation and trace.
        A `message_id` derived from the work makes a repeated emission recognisable; `at`: when it was told first.

        Raises TooLarge for what its topic does not take: found here, its cause can still be told.
        """
        envelope = Envelope(
            data=message,
            id=message_id or new_id(),
            source=self.source,
            time=at or self.now,
            sequence=max(sequence, 0),
            correlation_id=cause.root if cause else correlation_id,
            causation_id=cause.id if cause else "",
            traceparent=cause.trace if cause else new_trace(),
            actor=actor or (cause.actor if cause else ""),
        )
        key, headers, body = encode(envelope)
        if sequence == NUMBERED_LAST:
            self.numbers_last = True
            headers = [*headers, UNNUMBERED]
        if len(body) > BODY_LIMITS[message.TOPIC]:
            _check_size(message, batch_bytes(key, headers, body))
        self.outbox.append((message.TOPIC, key, headers, body))
        return envelope.id

    def emit_raw(self, topic: str, key: bytes | None, headers: Headers, payload: bytes | None) -> None:
        """Send a record as it is (dead letters)."""
        self.outbox.append((topic, key, headers, payload))

    async def replay_refused(self, ids: Sequence[int]) -> set[int]:
        """Put records that Kafka refused back into the outbox, in their order; the ids that were there."""
        rows = await SQL.fetch(self.conn, "take_refused", ids=list(ids))
        for row in sorted(rows, key=lambda row: row["id"]):
            self.outbox.extend(unpack(row["batch"]))
        return {row["id"] for row in rows}

    async def drop_refused(self, ids: Sequence[int]) -> set[int]:
        """Forget records that Kafka refused; the ids that were there."""
        return {row["id"] for row in await SQL.fetch(self.conn, "take_refused", ids=list(ids))}

    def set_timer(self, kind: str, key: str, due_at: datetime, **payload: Any) -> None:
        """Have the handler of `kind` called at `due_at` or soon after; replaces the timer of that kind and key."""
        self.timers.append(Timer(kind, key, due_at, payload))

    async def drop_timers(self, kind: str, keys: Sequence[str]) -> None:
        """Forget timers that are no longer wanted."""
        self.timers = [t for t in self.timers if t.kind != kind or t.key not in keys]
        await SQL.run(self.conn, "drop_timers", kinds=[kind] * len(keys), keys=list(keys))

    async def put_jobs(
        self, queue: str, jobs: Iterable[tuple[str, dict[str, Any]]], due_at: datetime | None = None
    ) -> None:
        """Queue long work by id and payload; an id that is queued already stays as it is."""
        self.queued = True
        # In one order, so that two transactions that queue the same ones never wait for each other.
        ids, payloads = columns(sorted(jobs, key=itemgetter(0)), 2)
        dues = [due_at or self.now] * len(ids)
        await SQL.run(self.conn, "put_jobs", queue=queue, ids=ids, dues=dues, payloads=payloads)

    async def finish_jobs(self, queue: str, jobs: Iterable[Job]) -> set[str]:
        """Take jobs off the queue; returns the ids whose token was still current. Only these may have effects."""
        ids, tokens = columns([_settled(job) for job in jobs], 2)
        return {row["id"] for row in await SQL.fetch(self.conn, "finish_jobs", queue=queue, ids=ids, tokens=tokens)}

    async def return_jobs(self, queue: str, jobs: Iterable[tuple[Job, datetime]]) -> set[str]:
        """Give jobs back for later; returns the ids whose token was still current."""
        self.queued = True
        ids, tokens, dues = columns([(*_settled(job), due) for job, due in jobs], 3)
        rows = await SQL.fetch(self.conn, "return_jobs", queue=queue, ids=ids, tokens=tokens, dues=dues)
        return {row["id"] for row in rows}

    async def advance(self, slices: Sequence[Slice]) -> None:
        """Move the consumed offsets by compare-and-set. Raises Fenced when any partition is no longer ours."""
        rows = await SQL.fetch(
            self.conn,
            "advance_partitions",
            topics=[s.topic for s in slices],
            parts=[s.part for s in slices],
            epochs=[s.epoch for s in slices],
            expected=[s.expected for s in slices],
            next_offsets=[s.next_offset for s in slices],
        )
        if len(rows) != len(slices):
            raise Fenced(f"{len(slices) - len(rows)} of {len(slices)} partitions were taken over or moved on")

    async def flush(self) -> None:
        """Write what was collected; called once, as the last thing before the commit."""
        if self.timers:
            last = {(t.kind, t.key): t for t in self.timers}  # one upsert may not touch a row twice
            # In one order, so that two transactions that set the same ones never wait for each other.
            rows = [(t.kind, t.key, t.due_at, t.payload) for _, t in sorted(last.items())]
            kinds, keys, dues, payloads = columns(rows, 4)
            await SQL.run(self.conn, "put_timers", kinds=kinds, keys=keys, dues=dues, payloads=payloads)
        if self.numbers_last:
            await self._number()
        if self.outbox:
            shards, counts, packed = columns(list(batches(self.outbox)), 3)
            await SQL.run(self.conn, "put_outbox", shards=shards, counts=counts, batches=packed)

    async def _number(self) -> None:
        # By identity: a dead letter keeps whatever headers its record had.
        places = [place for place, record in enumerate(self.outbox) if any(h is UNNUMBERED for h in record[2])]
        first = await self.next_numbers(len(places)) if places else 0
        for number, place in enumerate(places, first):
            topic, key, headers, body = self.outbox[place]
            numbered = ("ce_sequence", str(number).encode())
            self.outbox[place] = topic, key, [numbered if h is UNNUMBERED else h for h in headers], body


async def put_aside(conn: Connection, refused: Sequence[tuple[Outgoing, str]]) -> None:
    """Keep records that Kafka refused for good, each with the reason."""
    rows = [
        (record[0], *_named(record[2]), record_bytes(*record[1:]), reason, pack([record])) for record, reason in refused
    ]
    topics, types, subjects, sizes, reasons, packed = columns(rows, 6)
    named = {"topics": topics, "types": types, "subjects": subjects, "sizes": sizes}
    await SQL.run(conn, "put_refused", **named, reasons=reasons, batches=packed, now=datetime.now(UTC))


def _named(headers: Headers) -> tuple[str, str]:
    """Type and subject of the message, as text that PostgreSQL can keep."""
    texts = {name: readable((value or b"").decode(errors="replace")) for name, value in headers}
    return texts.get("ce_type", ""), texts.get("ce_subject", "")


Begin = Callable[[Connection, str, datetime], Transaction]
"""Makes the transaction that handlers get: of `Transaction`, or of a service's own class with its own `finish`."""


class Ledger:
    """Opens transactions on a service's database and wakes whoever waits for what they left behind."""

    def __init__(self, pool: Pool, source: str, begin: Begin = Transaction) -> None:
        self.pool = pool
        self.source = source
        self.begin = begin
        self.outbox_filled = Wakeup()
        self.timer_set = Wakeup()
        self.job_queued = Wakeup()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A transaction that is finished, and commits with everything it collected, or leaves no trace."""
        async with self.pool.acquire() as conn, conn.transaction():
            tx = self.begin(conn, self.source, datetime.now(UTC))
            yield tx
            await tx.finish()
            await tx.flush()
        self._wake(tx)

    def _wake(self, tx: Transaction) -> None:
        for call in tx.committed:
            call()
        if tx.queued:
            self.job_queued.ring()
        if tx.outbox:
            self.outbox_filled.ring()
        if tx.timers:
            self.timer_set.ring()

    async def assign(self, positions: Sequence[tuple[str, int, int, UUID | None]]) -> list[asyncpg.Record]:
        """A new epoch for each (topic, partition, first offset if never read before, id of the topic if it is known).

        Rows as in `consumed`, so with the id of that topic which was read before.
        """
        topics, parts, starts, ids = columns(positions, 4)
        async with self.pool.acquire() as conn:
            named = {"topics": topics, "parts": parts, "starts": starts, "topic_ids": ids}
            return await SQL.fetch(conn, "assign_partitions", **named)

    async def positions(self, partitions: Sequence[tuple[str, int]]) -> list[asyncpg.Record]:
        """Where the partitions stand now, and with which epoch."""
        topics, parts = columns(partitions, 2)
        async with self.pool.acquire() as conn:
            return await SQL.fetch(conn, "read_partitions", topics=topics, parts=parts)

    async def reset(self, topic: str, part: int, epoch: int, next_offset: int, topic_id: UUID | None) -> None:
        """Move a partition by hand, when the log itself was lost; noted in its row."""
        named = {"topic": topic, "part": part, "epoch": epoch, "next_offset": next_offset, "topic_id": topic_id}
        async with self.pool.acquire() as conn:
            await SQL.run(conn, "reset_partition", **named)

    async def lost_logs(self, within: timedelta = timedelta(days=1)) -> list[LostLog]:
        """Partitions whose log was found lost of late: what stood in it beyond what was read never had its effect."""
        async with self.pool.acquire() as conn:
            return [LostLog(**row) for row in await SQL.fetch(conn, "list_lost", within=within)]

    async def refused(self, after: int = 0, limit: int = 1_000) -> list[RefusedRecord]:
        """Records that Kafka refused for good, by their ids, those above `after`."""
        async with self.pool.acquire() as conn:
            rows = await SQL.fetch(conn, "list_refused", after=after, limit=limit)
        return [RefusedRecord(**row) for row in rows]

    async def claim(self, queue: str, owner: str, limit: int, lease_seconds: float) -> list[Job]:
        """Up to 2 x `limit` jobs that wait or whose worker fell silent, claimed for `lease_seconds`."""
        async with self.pool.acquire() as conn:
            rows = await SQL.fetch(
                conn,
                "claim_jobs",
                queue=queue,
                owner=owner,
                limit=limit,
                lease=timedelta(seconds=lease_seconds),
            )
        return [Job(row["id"], row["token"], row["attempt"], row["payload"]) for row in rows]

    async def extend(self, queue: str, owner: str, jobs: Sequence[Job], lease_seconds: float) -> set[str]:
        """Heartbeat: the ids that are still ours, for another `lease_seconds`."""
        ids, tokens = columns([(job.id, job.token) for job in jobs], 2)
        lease = timedelta(seconds=lease_seconds)
        async with self.pool.acquire() as conn:
            rows = await SQL.fetch(conn, "extend_leases", queue=queue, owner=owner, ids=ids, tokens=tokens, lease=lease)
        return {row["id"] for row in rows}
