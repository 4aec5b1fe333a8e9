"""Dead letters, read straight from their topics: how many, which, and the records to be sent once more."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.core.errors import BelayError
from shared.process.settings import Settings
from shared.wire.codec import Headers
from shared.wire.kafka import reader
from shared.wire.topics import DEAD_LETTERS, TOPICS

SECONDS = 5.0
"""The most that reading may take."""

PAGE_BYTES = 4_000_000
"""A page ends early when its records are this large together."""

PICK_BYTES = 32_000_000
"""What is sent once more in one transaction; a single record may be larger."""

LIVE = tuple(name for name in TOPICS if not name.endswith(DEAD_LETTERS))


class KafkaAway(BelayError, OSError):
    """Kafka did not answer in time; the same call may succeed later."""


class TooManyBytes(BelayError):
    """These records are too large together; `fit` are the offsets of the first of them that are not."""

    def __init__(self, fit: Sequence[int]) -> None:
        self.fit = fit
        super().__init__(f"more than {PICK_BYTES} bytes together")


class DeadLetters:
    """Reads dead letters with consumers of its own, each for one call. Every method raises KafkaAway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def counts(self) -> dict[str, int]:
        """Dead letters by topic, without those that have none."""
        partitions = {topic: self._partition(topic) for topic in LIVE}
        async with self._consumer() as kafka:
            known = await kafka.topics()
            there = [partition for partition in partitions.values() if partition.topic in known]
            starts, ends = await kafka.beginning_offsets(there), await kafka.end_offsets(there)
        counts = {topic: ends[p] - starts[p] for topic, p in partitions.items() if p in ends}
        return {topic: count for topic, count in counts.items() if count}

    async def read(self, topic: str, start: int, limit: int) -> tuple[list[Any], bool]:
        """Up to `limit` records of a topic's dead letters from the offset `start` on, and whether there are more.

        Fewer than `limit` when they are large.
        """
        partition = self._partition(topic)
        async with self._consumer() as kafka:
            kafka.assign([partition])
            first, end = await _range(kafka, partition)
            if max(start, first) >= end:
                return [], False
            kafka.seek(partition, max(start, first))
            records = await _take(kafka, partition, end, limit)
            return records, bool(records) and records[-1].offset + 1 < end

    async def pick(self, topic: str, offsets: Sequence[int]) -> dict[int, Any]:
        """The records at these offsets, those that are there. Raises TooManyBytes when they are too large together."""
        partition, found, size = self._partition(topic), {}, 0
        async with self._consumer() as kafka:
            kafka.assign([partition])
            first, end = await _range(kafka, partition)
            for offset in sorted(set(offsets)):
                if first <= offset < end:
                    kafka.seek(partition, offset)
                    taken = await _take(kafka, partition, offset + 1, 1)
                    found.update({record.offset: record for record in taken})
                    size += sum(map(_size, taken))
                    if size > PICK_BYTES and len(found) > 1:
                        raise TooManyBytes(sorted(found)[:-1])
        return {offset: record for offset, record in found.items() if offset in offsets}

    def _partition(self, topic: str) -> TopicPartition:
        return TopicPartition(self._settings.topic_prefix + topic + DEAD_LETTERS, 0)

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        try:
            async with (
                asyncio.timeout(SECONDS),
                reader(self._settings, f"gateway-{self._settings.instance}-dlq") as kafka,
            ):
                yield kafka
        except (KafkaError, TimeoutError) as error:
            raise KafkaAway(f"Kafka did not answer: {error!r}") from error


async def _range(kafka: AIOKafkaConsumer, partition: TopicPartition) -> tuple[int, int]:
    starts, ends = await kafka.beginning_offsets([partition]), await kafka.end_offsets([partition])
    return starts[partition], ends[partition]


async def _take(kafka: AIOKafkaConsumer, partition: TopicPartition, end: int, limit: int) -> list[Any]:
    """Records from the position on, until `end`, `limit`, or the size of a page."""
    records: list[Any] = []
    size = 0
    while len(records) < limit and size < PAGE_BYTES and await kafka.position(partition) < end:
        polled = await kafka.getmany(partition, timeout_ms=500, max_records=limit - len(records))
        for record in polled.get(partition, ()):
            if size < PAGE_BYTES and record.offset < end:
                records.append(record)
                size += _size(record)
    return records


def _size(record: Any) -> int:
    return len(record.value or b"")


def renamed(headers: Headers, fresh_id: str) -> Headers:
    """The headers of a command under a fresh id: the old one has its answer already, and becomes the cause."""
    old = next((value for name, value in reversed(headers) if value and name.lower() == "ce_id"), None)
    kept = [(name, value) for name, value in headers if name.lower() not in {"ce_id", "ce_causationid"}]
    return [*kept, ("ce_id", fresh_id.encode()), ("ce_causationid", old)]
