"""The consumer loop: a whole poll, over all partitions, is handled in one transaction of the ledger.

What happens to a record: read and valid, it reaches the handler of its type, in batches; unreadable, it goes to the
dead letters in the same transaction; when a handler breaks over it, the batch is halved until it stands alone, and
it alone goes to the dead letters. Nothing blocks a partition, nothing is lost.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CorruptRecordException, IllegalStateError, InvalidSessionTimeoutError, KafkaError

from shared.core import suspects
from shared.core.dispatching import Dispatcher, Handlers, Prepare
from shared.core.errors import HandleAgain, SessionTimeoutRefused, fault_of, is_transient
from shared.core.in_flight import WorkMark
from shared.core.retrying import back_offs, pause, until_done
from shared.core.stretches import Stretch, halves
from shared.core.suspects import Suspects
from shared.core.transaction import SQL, Ledger, Transaction
from shared.messages.base import ErrorCode, Fault
from shared.process.health import Finding, Partition, Reading, log_lost
from shared.process.settings import Settings
from shared.wire.codec import Attributes, Record
from shared.wire.fetching import fit_to_read
from shared.wire.kafka import consumer, start_whole, stop_whole
from shared.wire.topic_ids import topic_ids

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Linger:
    """Kafka keeps records back until there are so many bytes, though for at most so many milliseconds.

    A transaction costs nearly the same for one record as for a hundred: whoever nobody waits for reads many at a time.
    """

    bytes: int = 1
    ms: int = 100


AT_ONCE = Linger()

LOOK_SECONDS, SUSPICIOUS_SECONDS = 30.0, 1.0
"""So often is looked which logs there are, and whether they are those that are read; the latter where one seems not to
be."""

LOOK_FOR_SECONDS = 5.0
"""A look that takes longer is given up: nothing is read meanwhile, and aiokafka would wait for 40 s."""

UNREADABLE = (CorruptRecordException, ValueError, IndexError, OverflowError)
"""What aiokafka raises over a record that it cannot read, such as one with a header whose name is no UTF-8."""


@dataclass(slots=True)
class Owned:
    """A partition that is ours: with this epoch, read up to `next_offset`; the id of its topic, if it is known."""

    epoch: int
    next_offset: int
    topic_id: UUID | None = None


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the topics of one service's handlers as one consumer group named after the service.

    The group only spreads partitions over replicas; positions are the ledger's, so Kafka's committed offsets and
    aiokafka's own position are never trusted.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        service: str,
        handlers: Handlers,
        topics: Iterable[str],
        skips: Callable[[Attributes], bool] | None = None,
        prepare: Prepare | None = None,
        linger: Linger = AT_ONCE,
    ) -> None:
        """`skips` tells by its headers whether a record is of no use to this service; its body is not parsed then."""
        self._settings = settings
        self._ledger = ledger
        self._dispatcher = Dispatcher(settings.topic_prefix, handlers, skips, prepare)
        self._topics = [settings.topic_prefix + topic for topic in topics]
        self._owned: dict[TopicPartition, Owned] = {}
        self.mark: WorkMark | None = None
        """Outlives us, and says what we were working on."""
        self._suspects = Suspects()
        self._busy = False
        self.lost: list[Finding] = []
        """Logs that were found lost since this process began."""
        self._joined = False
        self._looked_at = float("-inf")
        self._suspicious = False
        self._kafka = consumer(
            settings,
            client_id=f"{service}-{settings.instance}",
            group_id=f"{settings.topic_prefix}{service}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=max(settings.session_timeout_ms // 10, 100),
            max_poll_interval_ms=300_000,
            fetch_min_bytes=linger.bytes,
            fetch_max_wait_ms=linger.ms,
            metadata_max_age_ms=int(LOOK_SECONDS * 1000),
            check_crcs=False,  # it is done where records are made fit to be read
        )
        self._fitting = fit_to_read(self._kafka, settings.unpacked_max)

    # -- life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Consume until cancelled. A batch that was begun is finished before the partitions are given back."""
        try:
            await self._start()
            while True:
                await self._finish_even_if_cancelled(await self._poll())
        finally:
            await stop_whole(self._kafka)

    async def _finish_even_if_cancelled(self, batch: list[Stretch]) -> None:
        self._busy = bool(batch)
        task = asyncio.ensure_future(self._finish(batch))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await task
            raise
        finally:
            self._busy = False

    async def _start(self) -> None:
        """Raises SessionTimeoutRefused: a consumer that got as far as its group cannot be started a second time."""
        self._kafka.subscribe(self._topics, listener=self)
        try:
            await until_done(partial(start_whole, self._kafka), "waiting for Kafka", "kafka_unreachable", _passes)
        except InvalidSessionTimeoutError as error:
            raise SessionTimeoutRefused(self._settings.session_timeout_ms) from error

    async def _poll(self) -> list[Stretch]:
        if time.monotonic() - self._looked_at > (SUSPICIOUS_SECONDS if self._suspicious else LOOK_SECONDS):
            await self._look_at_logs()
        try:
            polled = await self._kafka.getmany(timeout_ms=500, max_records=self._settings.poll_records)
        except UNREADABLE as error:
            if self._fitting.careful:
                raise
            self._look_closer(error)
            return []
        stretches = (self._ours(partition, records) for partition, records in polled.items())
        return [stretch for stretch in stretches if stretch is not None]

    def _look_closer(self, error: Exception) -> None:
        """Something among what was fetched cannot be read: fetch all anew, and look into every record from now on.

        Costs a hundredth of a step, so it is not done before it must be.
        """
        log.warning("records cannot be read; looking closer", action="look_closer", error=repr(error)[:200])
        self._fitting.careful = True
        for partition, owned in self._owned.items():
            self._kafka.seek(partition, owned.next_offset)

    def _ours(self, partition: TopicPartition, records: list[Record]) -> Stretch | None:
        """Only what is ours and not yet read: aiokafka may return records before the seek or after a loss."""
        if (owned := self._owned.get(partition)) is None:
            return None
        fresh = [record for record in records if record.offset >= owned.next_offset]
        if not fresh:  # aiokafka went to the beginning by itself: is it still the same log?
            self._suspicious = True
        return Stretch(partition, owned.epoch, owned.next_offset, fresh) if fresh else None

    # -- partitions come and go -----------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget them. A transaction under way either commits before the next owner's epoch, or is fenced by it."""
        self._joined = False
        for partition in revoked:
            self._owned.pop(partition, None)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take them over: a new epoch, and the position of the ledger. Retried until the database is there.

        aiokafka swallows what a listener raises and goes on consuming; so partitions count as ours only once
        this succeeded.
        """
        take_over = partial(self._take_over, list(assigned))
        await until_done(take_over, "waiting to take over partitions", "assign_retry", lambda _: True)
        self._joined = True

    async def _take_over(self, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        starts, ids = await self._kafka.beginning_offsets(partitions), await self._topic_ids(partitions)
        rows = await self._ledger.assign([(p.topic, p.partition, starts[p], ids.get(p.topic)) for p in partitions])
        # Asked for after the new epoch: until then our predecessor may go on, beyond any end that we knew before.
        ends = await self._kafka.end_offsets(partitions)
        self._suspects = await self._find_suspects(partitions)
        for row in rows:
            partition = TopicPartition(row["topic"], row["part"])
            owned = Owned(row["epoch"], row["next_offset"], row["topic_id"])
            await self._within(partition, owned, ids.get(partition.topic), starts[partition], ends[partition])
            self._suspects.forget(partition, owned.next_offset)
            self._kafka.seek(partition, owned.next_offset)
            self._owned[partition] = owned
        self._looked_at = time.monotonic()
        log.info("took over partitions", action="assigned", partitions=len(rows))

    async def _within(
        self, partition: TopicPartition, owned: Owned, topic_id: UUID | None, start: int, end: int
    ) -> bool:
        """Whether the log is the one that was read, and holds our position; if not, begin at its beginning.

        Kafka lost records or let them expire; or the topic was deleted and made again, which its id tells.
        """
        same = None in (topic_id, owned.topic_id) or topic_id == owned.topic_id
        if same and start <= owned.next_offset <= end:
            return True
        why = "it does not hold our position" if same else "the topic was made anew"
        facts = {"topic": partition.topic, "partition": partition.partition, "position": owned.next_offset}
        log.error("the log that we read is lost", action="log_lost", why=why, **facts, begins_at=start)
        self.lost.append(
            log_lost(partition.topic, partition.partition, owned.next_offset, start, why, datetime.now(UTC))
        )
        topic_id = topic_id or owned.topic_id
        await self._ledger.reset(partition.topic, partition.partition, owned.epoch, start, topic_id)
        owned.next_offset, owned.topic_id = start, topic_id
        return False

    async def _topic_ids(self, partitions: Iterable[TopicPartition]) -> dict[str, UUID]:
        return await topic_ids(self._kafka._client, {p.topic for p in partitions})  # noqa: SLF001 - no other way

    async def _look_at_logs(self) -> None:
        """Find out whether a log was lost while it is read: aiokafka would go to its beginning without a word, and all
        that stands before our position be taken for read."""
        self._looked_at, suspicious, self._suspicious = time.monotonic(), self._suspicious, False
        try:
            async with asyncio.timeout(LOOK_FOR_SECONDS):
                ids = await self._topic_ids(self._owned)
                owned = {p: o for p, o in self._owned.items() if p.topic in ids}
                starts = await self._kafka.beginning_offsets(list(owned)) if owned else {}
                ends = await self._kafka.end_offsets(list(owned)) if owned else {}
            for p, o in owned.items():
                if self._owned.get(p) is not o:
                    continue  # a rebalance began meanwhile
                if not await self._within(p, o, ids[p.topic], starts[p], ends[p]) or suspicious:
                    self._kafka.seek(p, o.next_offset)
        except (KafkaError, IllegalStateError) as error:
            log.warning("the logs are looked at later", action="look_retry", error=repr(error)[:200])
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("the logs are looked at later", action="look_retry", error=repr(error)[:200])

    async def _resync(self, partitions: list[TopicPartition]) -> None:
        """After a failure: what the database says is true, also when a commit succeeded but its answer was lost."""
        rows = await self._ledger.positions([(p.topic, p.partition) for p in partitions])
        for row in rows:
            partition = TopicPartition(row["topic"], row["part"])
            owned = self._owned.get(partition)
            if owned is None:
                continue
            if owned.epoch != row["epoch"]:
                del self._owned[partition]
                continue
            owned.next_offset = row["next_offset"]
            self._kafka.seek(partition, owned.next_offset)

    # -- a batch --------------------------------------------------------------------------------------------------

    async def _finish(self, batch: list[Stretch]) -> None:
        """Handle a batch to its end; on a passing failure wait, and let the next poll read it again."""
        if not batch:
            return
        try:
            for piece in self._in_pieces(batch) if self._suspects.ranges else (batch,):
                await self._settle(piece)
            return
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("a batch will be read again", action="batch_retry", error=repr(error)[:200])
        await pause(next(back_offs()))
        resync = partial(self._resync, [stretch.partition for stretch in batch])
        await until_done(resync, "positions are read again", "resync_retry")

    async def _settle(self, batch: list[Stretch]) -> None:
        """One transaction for the batch; if a handler breaks, halves, down to the one record that is to blame."""
        if self._guilty(batch):
            log.error("a record ended the process twice", action="put_aside", place=batch[0].span[:3])
            await self._tx(batch, dead=suspects.blame())
            return
        try:
            await self._tx_until_known(batch)
        except (Exception, SystemExit) as error:  # some library's way out is not ours
            if is_transient(error):
                raise
            if sum(len(s.records) for s in batch) > 1:
                first, second = halves(batch)
                await self._settle(first)
                await self._settle(second)
            else:
                log.exception("a record goes to the dead letters", action="dead_letter", topic=batch[0].partition.topic)
                await self._tx(batch, dead=fault_of(error))

    async def _tx_until_known(self, batch: list[Stretch]) -> None:
        """What the service knows to be broken by itself is no fault of these records: they are handled again."""
        while True:
            try:
                return await self._tx(batch)
            except HandleAgain as error:
                log.warning("a batch is handled again", action="handle_again", reason=str(error)[:300])

    async def _tx(self, batch: list[Stretch], dead: Fault | None = None) -> None:
        slices = [stretch.slice for stretch in batch]
        with self.mark.on([stretch.span for stretch in batch]) if self.mark else nullcontext():
            async with self._ledger.transaction() as tx:
                await tx.advance(slices)
                records = [record for stretch in batch for record in stretch.records]
                if dead:
                    await self._dispatcher.bury(tx, records[0], (dead,))
                else:
                    await self._dispatcher.dispatch(tx, records)
                if self._suspects.ranges:
                    await self._judge(tx, batch, aside=dead is not None and dead.code == ErrorCode.ENDED_THE_PROCESS)
        for stretch, moved in zip(batch, slices, strict=True):
            self._suspects.forget(stretch.partition, moved.next_offset)
            if (owned := self._owned.get(stretch.partition)) and owned.epoch == moved.epoch:
                owned.next_offset = moved.next_offset

    # -- records that may have ended the process ------------------------------------------------------------------

    async def _find_suspects(self, partitions: list[TopicPartition]) -> Suspects:
        async with self._ledger.pool.acquire() as conn:
            return Suspects.of(await suspects.find(conn, [(p.topic, p.partition) for p in partitions]))

    def _in_pieces(self, batch: list[Stretch]) -> Iterator[list[Stretch]]:
        """Partitions without suspects together; in the others each piece by itself."""
        watched = self._suspects.ranges
        if free := [stretch for stretch in batch if stretch.partition not in watched]:
            yield free
        for stretch in batch:
            if stretch.partition in watched:
                yield from ([piece] for piece in stretch.pieces(partial(self._suspects.piece_of, stretch.partition)))

    def _guilty(self, batch: list[Stretch]) -> bool:
        alone = len(batch) == 1 and len(batch[0].records) == 1
        return alone and self._suspects.guilty(batch[0].partition, batch[0].records[0].offset)

    async def _judge(self, tx: Transaction, batch: list[Stretch], aside: bool) -> None:
        """In the transaction that handled them: what was put aside is kept as such, what is behind us did no harm."""
        for stretch in batch:
            topic, part, first, behind = stretch.span
            if aside:
                await SQL.run(tx.conn, "put_aside", topic=topic, part=part, position=first)
            await SQL.run(tx.conn, "acquit", topic=topic, part=part, position=behind)

    # -- for metrics and health -----------------------------------------------------------------------------------

    async def lag(self) -> dict[tuple[str, int], int]:
        """Records not yet handled, by (topic, partition)."""
        owned = dict(self._owned)
        ends = await self._kafka.end_offsets(list(owned)) if owned else {}
        return {(p.topic, p.partition): max(ends[p] - o.next_offset, 0) for p, o in owned.items()}

    async def readings(self) -> dict[Partition, Reading]:
        """How far this service has handled every partition of its topics, whoever owns it. Raises KafkaError.

        A log may end in marks of transactions that nobody is ever given: where we own the partition and are at rest,
        what Kafka's client has passed by is read.
        """
        partitions = [TopicPartition(t, p) for t in self._topics for p in self._kafka.partitions_for_topic(t) or ()]
        rows = await self._ledger.positions(partitions)
        known = {(row["topic"], row["part"]): int(row["next_offset"]) for row in rows}
        starts = await self._kafka.beginning_offsets([p for p in partitions if p not in known]) if partitions else {}
        ends = await self._kafka.end_offsets(partitions) if partitions else {}
        found = {}
        for place in partitions:
            position = known[place] if place in known else starts[place]
            passed = await self._passed_by(place) if position < ends[place] else 0
            found[tuple(place)] = Reading(position, max(ends[place] - max(position, passed), 0))
        return found

    async def _passed_by(self, partition: TopicPartition) -> int:
        return int(await self._kafka.position(partition)) if partition in self._owned and not self._busy else 0

    def rejoin(self) -> None:
        """Have the group share its partitions anew: when a topic is made anew, aiokafka may leave one to nobody."""
        self._kafka._coordinator.request_rejoin()  # noqa: SLF001 - no other way

    @property
    def member(self) -> str:
        """Our id in the consumer group, also while it shares out its partitions; "" before we asked to join."""
        return str(getattr(getattr(self._kafka, "_coordinator", None), "member_id", ""))  # there is no other way

    @property
    def joined(self) -> bool:
        """Whether we have our share of the partitions; with more replicas than partitions it may be none."""
        return self._joined


def _passes(error: BaseException) -> bool:
    return isinstance(error, KafkaError) and not isinstance(error, InvalidSessionTimeoutError)
