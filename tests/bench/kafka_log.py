"""What stands in Kafka's topics, read by a consumer of its own: the events of a run with their times."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.embedded import kafka
from tests.bench.rig import Rig

PREFIX = "belay."
AT_ONCE = 5_000

Ends = dict[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Entry:
    """A record. `at` is when its service decided it (CloudEvents time), `sent_at` when it was sent (Kafka's timestamp,
    whole milliseconds); both in epoch seconds.
    """

    topic: str
    type: str
    id: str
    at: float
    sent_at: float
    value: bytes


def ends(rig: Rig, *topics: str) -> Ends:
    """Where these topics end now."""
    return asyncio.run(_ends(rig, topics))


def since(rig: Rig, begin: Ends) -> list[Entry]:
    """Everything from there to where the topics end now."""
    return asyncio.run(_since(rig, begin))


async def _ends(rig: Rig, topics: Sequence[str]) -> Ends:
    async with AIOKafkaConsumer(*(PREFIX + name for name in topics), **_settings(rig)) as consumer:
        return dict(await consumer.end_offsets(list(consumer.assignment())))


async def _since(rig: Rig, begin: Ends) -> list[Entry]:
    entries: list[Entry] = []
    async with AIOKafkaConsumer(**_settings(rig)) as consumer:
        consumer.assign(list(begin))
        until = await consumer.end_offsets(list(begin))
        for partition, offset in begin.items():
            consumer.seek(partition, offset)
        while any([await consumer.position(partition) < end for partition, end in until.items()]):
            entries += _entries(await consumer.getmany(timeout_ms=200, max_records=AT_ONCE))
    return entries


def _settings(rig: Rig) -> dict[str, object]:
    return {"bootstrap_servers": kafka.bootstrap(rig.home), "auto_offset_reset": "earliest"}


def _entries(polled: dict[TopicPartition, list[object]]) -> Iterator[Entry]:
    for partition, records in polled.items():
        for record in records:
            headers = {name: value.decode() for name, value in record.headers}  # type: ignore[attr-defined]
            yield Entry(
                topic=partition.topic.removeprefix(PREFIX),
                type=headers.get("ce_type", ""),
                id=headers.get("ce_id", ""),
                at=datetime.fromisoformat(headers["ce_time"]).timestamp(),
                sent_at=record.timestamp / 1000,  # type: ignore[attr-defined]
                value=record.value or b"",  # type: ignore[attr-defined]
            )
