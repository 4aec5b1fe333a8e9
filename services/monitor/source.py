"""Kafka, asked about the topic that is read: by a consumer for each question, as faust's own lives in its thread."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.monitor.tables import SOURCE
from shared.process.settings import Settings
from shared.wire.kafka import reader
from shared.wire.topic_ids import topic_ids

LOOK_MS = 1_000
"""So long is waited for a record; if none came by then, it is asked for again."""


class Source:
    """The strategies' events. Every method raises KafkaError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.topic = settings.topic_prefix + SOURCE

    async def topic_id(self) -> str:
        """Kafka's id of the topic: one that was deleted and made again has another. Empty where brokers know none."""
        async with self._consumer() as kafka:
            return await self._id(kafka)

    async def log(self, parts: Iterable[int]) -> tuple[str, dict[int, int], dict[int, int]]:
        """The topic's id, and where each of these partitions begins and ends."""
        places = [TopicPartition(self.topic, part) for part in parts]
        async with self._consumer() as kafka:
            topic_id = await self._id(kafka)
            starts, ends = await kafka.beginning_offsets(places), await kafka.end_offsets(places)
        return topic_id, {p.partition: starts[p] for p in places}, {p.partition: ends[p] for p in places}

    async def _id(self, kafka: AIOKafkaConsumer) -> str:
        found = await topic_ids(kafka._client, [self.topic])  # noqa: SLF001 - no other way
        return str(found.get(self.topic, ""))

    async def first_from(self, part: int, offset: int) -> int:
        """Where the first record from this offset on lies, or would lie if there is none."""
        place = TopicPartition(self.topic, part)
        async with self._consumer() as kafka:
            kafka.assign([place])
            kafka.seek(place, offset)
            found = await kafka.getmany(place, timeout_ms=LOOK_MS, max_records=1)
            return int(found[place][0].offset if found.get(place) else await kafka.position(place))

    def _consumer(self) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
        return reader(self._settings, f"monitor-{self._settings.instance}-source")
