"""How far each partition was read, kept by ourselves: faust loses records around a rebalance.

When its tables are restored it lets the source flow, then clears the buffers, then goes back to what it committed; a
record delivered in between is gone, and a partition without any commit is not gone back in at all. So only the record
that comes next is taken; when another one comes, or none though there are some, the consumer is sent back. Positions
lie in a table, behind the knowledge they stand for: a restart begins where that knowledge ends.
"""

import time
from collections.abc import Awaitable, Iterable
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from services.monitor.domain import Position
from services.monitor.tables import Store, put
from shared.codec import Record

log = structlog.get_logger()

PATIENCE_SECONDS = 2.0
"""After so long without the next record, though Kafka has it, it is fetched again."""


class Positions:
    """The next offset of each partition that is ours. `expects` and `handled` are called by the stream alone."""

    def __init__(self, store: Store, topic: str) -> None:
        self._store = store
        self._topic = topic
        self._next: dict[int, int] = {}
        self._written: dict[int, Awaitable[Any]] = {}
        self._moved_at: dict[int, float] = {}
        self._assignment = 0

    def expects(self, record: Record) -> bool:
        """Whether this is the next record of its partition. One that comes too early is read again when its turn is."""
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
            if self._assignment != (assignment := self._store.app.rebalancing_count):
                await self._find_places(partitions)
                self._assignment = assignment
            for part, lag in self.lag(partitions).items():
                if lag and time.monotonic() - self._moved_at[part] > PATIENCE_SECONDS:
                    await self._go_back(part)
        except (IllegalStateError, ConsumerNotStarted):
            return  # another rebalance began; its end brings us here again
        for part in partitions & self._next.keys():
            await self._keep(part)

    async def _find_places(self, partitions: set[int]) -> None:
        starts = await self._store.app.consumer.earliest_offsets(*(TP(self._topic, part) for part in partitions))
        for tp, start in starts.items():
            kept: Position | None = self._store.positions.get(_key(tp.partition))
            known = max(kept.next_offset if kept else 0, self._next.get(tp.partition, 0))
            self._next[tp.partition] = max(known, start)  # what is older than the log is lost by retention
            await self._go_back(tp.partition, expected=True)

    async def _go_back(self, part: int, expected: bool = False) -> None:
        self._moved_at[part] = time.monotonic()
        if not expected:
            log.warning("records are read again", action="reread", partition=part, offset=self._next[part])
        await self._store.app.consumer.seek(TP(self._topic, part), self._next[part])

    async def _keep(self, part: int) -> None:
        """Keep a position, but only once all that it stands for is kept."""
        position = Position(next_offset=self._next[part])
        if self._store.positions.get(_key(part)) == position:
            return
        if written := self._written.get(part):
            await written
        put(self._store.positions, part, _key(part), position)


def _key(part: int) -> bytes:
    return str(part).encode()
