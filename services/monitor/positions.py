"""How far each partition was read, kept by ourselves: faust loses records around a rebalance.

When its tables are restored it lets the source flow, then clears the buffers, then goes back to what it committed; a
record delivered in between is gone, and a partition without any commit is not gone back in at all. So only the record
that comes next is taken; when another one comes, or none though there are some, the consumer is sent back. Positions
lie in a table, behind the knowledge they stand for: a restart begins where that knowledge ends.

There are offsets without a record: marks of foreign transactions, and what was put aside together. Kafka itself is
asked for the next record where none comes.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from services.monitor.domain import Position
from services.monitor.source import Source
from services.monitor.tables import Tables, put
from shared.process.health import Finding, log_lost
from shared.wire.codec import Record

log = structlog.get_logger()

PATIENCE_SECONDS = 2.0
"""After so long without the next record, though Kafka has it, it is fetched again."""

LOOK_SECONDS = 30.0
"""So often is looked whether the topic is still the one that is read."""


class Positions:
    """The next offset of each partition that is ours. `expects` and `handled` are called by the stream alone."""

    def __init__(self, store: Tables, source: Source, lost: Callable[[Finding], None]) -> None:
        """`lost` hears of a log that was lost."""
        self._store = store
        self._source = source
        self._topic = source.topic
        self._lost = lost
        self._topic_id = ""
        self._looked_at = 0.0
        self._next: dict[int, int] = {}
        self._sent_back: dict[int, int] = {}
        self._written: dict[int, Awaitable[Any]] = {}
        self._moved_at: dict[int, float] = {}
        self._assignment = 0

    def expects(self, record: Record) -> bool:
        """Whether this is the next record of its partition. One that comes too early is read again in its turn."""
        return self._next.get(record.partition) == record.offset

    def handled(self, record: Record, written: Awaitable[Any] | None) -> None:
        """The record has had its effect; `written` tells when the changelog has it."""
        self._next[record.partition] = record.offset + 1
        self._moved_at[record.partition] = time.monotonic()
        if written is not None:
            self._written[record.partition] = written

    def lag(self, partitions: Iterable[int]) -> dict[int, int]:
        """How many records of each partition are not handled yet, as far as Kafka has told."""
        ends = {part: self._end_of(part) for part in partitions}
        known = {part: end for part, end in ends.items() if end is not None and part in self._next}
        return {part: max(end - self._next[part], 0) for part, end in known.items()}

    def read(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Of each partition whose end is known: the next offset, and how many records are not handled yet."""
        return {part: (self._next[part], lag) for part, lag in self.lag(partitions).items()}

    def _end_of(self, part: int) -> int | None:
        end: int | None = self._store.app.consumer.highwater(TP(self._topic, part))
        return end

    async def tend(self, partitions: set[int]) -> None:
        """Look after the partitions: find their place after a rebalance, get lost records back, keep positions."""
        try:
            assignment = self._store.app.rebalancing_count
            if self._assignment != assignment or await self._is_another_log(partitions):
                await self._find_places(partitions)
                self._assignment = assignment
            for part, lag in self.lag(partitions).items():
                if lag and time.monotonic() - self._moved_at[part] > PATIENCE_SECONDS:
                    await self._look_for_next(part)
        except (KafkaError, ConsumerNotStarted) as error:  # another rebalance began, or Kafka is away
            log.info("places are looked for later", action="tend_retry", error=repr(error)[:200])
            return
        for part in partitions & self._next.keys():
            await self._keep(part)

    async def _is_another_log(self, partitions: set[int]) -> bool:
        """Whether the topic was deleted and made again while it was read, or lost its end."""
        if any((end := self._end_of(part)) is not None and end < self._next.get(part, 0) for part in partitions):
            return True
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = time.monotonic()
        topic_id = await self._source.topic_id()
        return "" not in (topic_id, self._topic_id) and topic_id != self._topic_id

    async def _find_places(self, partitions: set[int]) -> None:
        before = {part: self._read_up_to(part) for part in partitions}
        topic_id, starts, ends = await self._source.log(partitions)
        for part in partitions:
            self._find_place(part, topic_id, before[part], starts[part], ends[part])
        self._topic_id, self._looked_at = topic_id, time.monotonic()
        for part in partitions:
            await self._go_back(part, expected=True)

    def _find_place(self, part: int, topic_id: str, before: Mapping[str, int], start: int, end: int) -> None:
        """Where we are, if the log is the one that was read; what is older than the log is lost by retention.

        `before`: what was read before its end was asked for; records are handled all the time.
        """
        position = _of_this(before, topic_id)
        if position <= end and (position or not any(before.values())):
            self._next[part] = max(_of_this(self._read_up_to(part), topic_id), start)
            return
        why = "it does not hold our position" if position else "the topic was made anew"
        log.error("the log that we read is lost", action="log_lost", why=why, partition=part, begins_at=start)
        self._lost(log_lost(self._topic, part, max(before.values()), start, why, datetime.now(UTC)))
        self._next[part] = start

    def _read_up_to(self, part: int) -> dict[str, int]:
        """How far this partition was read, by us or by whoever had it before: by the id of the topic."""
        read = {self._topic_id: self._next[part]} if part in self._next else {}
        kept: Position | None = self._store.positions.get(_key(part))
        return read | {kept.topic_id: max(kept.next_offset, read.get(kept.topic_id, 0))} if kept else read

    async def _look_for_next(self, part: int) -> None:
        """Have it fetched again; when it does not come then either, it may be an offset without a record."""
        if self._sent_back.get(part) == self._next[part]:
            first = await self._source.first_from(part, self._next[part])
            self._next[part] = max(self._next[part], first)
        self._sent_back[part] = self._next[part]
        await self._go_back(part)

    async def _go_back(self, part: int, expected: bool = False) -> None:
        self._moved_at[part] = time.monotonic()
        if not expected:
            log.warning("records are read again", action="reread", partition=part, offset=self._next[part])
        await self._store.app.consumer.seek(TP(self._topic, part), self._next[part])

    async def _keep(self, part: int) -> None:
        """Keep a position, but only once all that it stands for is kept."""
        position = Position(next_offset=self._next[part], topic_id=self._topic_id)
        if self._store.positions.get(_key(part)) == position:
            return
        if written := self._written.get(part):
            await written
        put(self._store.positions, part, _key(part), position)


def _of_this(read: Mapping[str, int], topic_id: str) -> int:
    """How far the topic of this id was read; of one whose id nobody knew it may be the same."""
    return max(
        (position for known, position in read.items() if "" in (known, topic_id) or known == topic_id), default=0
    )


def _key(part: int) -> bytes:
    return str(part).encode()
