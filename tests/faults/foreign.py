"""A foreign client of Kafka: sends what nobody can read, what is meant to do harm, and what was sent before."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from tests.faults.odd_records import MAKERS, Odd, made
from tests.faults.watch import PREFIX

Headers = list[tuple[str, bytes]]
PLAIN = 1_000_000
"""Bytes of a body that every topic takes as it is."""

TRIES = 20
LARGEST = 16 * 2**20
"""Bytes of a request: more than any topic takes, so that Kafka itself judges."""

TYPES = {
    "catalog.commands": "belay.catalog.publish_release",
    "catalog.events": "belay.catalog.release_available",
    "deployer.commands": "belay.deployer.request_operation",
    "deployer.events": "belay.deployer.operation_succeeded",
    "deployer.facts": "belay.deployer.host_reported",
    "strategy.commands": "belay.strategy.create_strategy",
    "strategy.events": "belay.strategy.steps_changed",
    "site.state": "belay.strategy.site_state",
    "notifier.commands": "belay.notifier.add_subscription",
    "notifier.events": "belay.notifier.notification_raised",
    "monitor.events": "belay.monitor.stage_forecast",
}
"""A type that belongs on each topic, so that nothing is refused for the topic alone."""


class Foreign:
    """Publishes bytes; while the broker is away it tries again, as any client would."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._producers: dict[str, AIOKafkaProducer] = {}
        """One a codec, made when it is first used."""
        self._making = asyncio.Lock()

    async def start(self) -> None:
        """Connect. It keeps the order of a key, and waits for every acknowledgement."""
        await self._producer("none")

    async def _producer(self, codec: str) -> AIOKafkaProducer:
        async with self._making:
            if codec not in self._producers:
                self._producers[codec] = await self._made(codec)
        return self._producers[codec]

    async def _made(self, codec: str) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            enable_idempotence=True,
            request_timeout_ms=15_000,
            max_request_size=2 * LARGEST,
            compression_type=None if codec == "none" else codec,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        return producer

    async def stop(self) -> None:
        """Disconnect."""
        for producer in self._producers.values():
            await producer.stop()

    async def publish(
        self,
        topic: str,
        key: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        body: Any,
        codec: str = "none",
    ) -> None:
        """Send one record and await its acknowledgement. Raises KafkaError after many tries."""
        for attempt in range(TRIES):
            try:
                producer = await self._producer(codec)
                await producer.send_and_wait(PREFIX + topic, body, key=key, headers=list(headers))
                return
            except KafkaError as error:
                if attempt == TRIES - 1 or isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
                    raise
                await asyncio.sleep(0.5)

    async def again(self, topic: str, records: Sequence[Any]) -> None:
        """Send past records once more, byte by byte, in their order; but for those that fit only when compressed."""
        for record in records:
            if len(record.value or b"") > PLAIN:
                continue
            await self.publish(topic, record.key, record.headers, record.value)


def _told(topic: str, random: Random, version: str = "v1") -> Headers:
    identifier = f"hostile-{random.getrandbits(64):016x}"
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", identifier.encode()),
        ("ce_type", f"{TYPES[topic]}.{version}".encode()),
        ("ce_source", b"/foreign"),
    ]


def _unreadable(topic: str, random: Random) -> tuple[Headers, bytes | None]:
    told = _told(topic, random)
    ways: list[Callable[[], tuple[Headers, bytes | None]]] = [
        lambda: (told, random.randbytes(random.randint(1, 400))),
        lambda: (told, b'{"sites": [{"name": "oslo'),
        lambda: (told, b"[]"),
        lambda: (told, b'{"no_such_field": 1}'),
        lambda: (told, b"\xff\xfe{\x00}"),
        lambda: (told, None),
        lambda: ([], b"{}"),
        lambda: (told[:1] + told[2:], b"{}"),
        lambda: (told[:2] + told[3:], b"{}"),
        lambda: (_told(topic, random, "v99"), b"{}"),
        lambda: ([*told[:2], ("ce_type", b"belay.nobody.knows_this.v1")], b"{}"),
        lambda: ([("ce_id", b"two words"), *told[2:]], b"{}"),
    ]
    return random.choice(ways)()


def _hostile(topic: str, random: Random) -> tuple[Headers, bytes]:
    told = _told(topic, random)
    ways: list[Callable[[], tuple[Headers, bytes]]] = [
        lambda: (told, b"[" * 200_000),
        lambda: (told, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        lambda: (told, b'{"name": "' + b"x" * 1_000_100 + b'"}'),
        lambda: (told, b'{"spec": {"name": "nul\\u0000", "type": "apply"}, "site": "\\u0000"}'),
        lambda: (told, b'{"site": "a", "timeout_seconds": ' + b"9" * 5_000 + b"}"),
        lambda: (told, b'{"site": 1e999, "app": NaN, "sites": -Infinity}'),
        lambda: ([*told, *((f"x-{n}", b"y" * 300) for n in range(2_000))], b"{}"),
        lambda: ([*told, *((("ce_type", told[2][1]),) * 500)], b"{}"),
        lambda: ([("ce_id", b"i" * 100_000), *told[2:]], b"{}"),
        lambda: (
            [*told, ("ce_sequence", b"-1"), ("ce_time", b"yesterday"), ("ce_actor", b"\x00\xff")],
            b'{"site": {}}',
        ),
        lambda: ([*told, ("ce_sequence", b"9" * 400), ("ce_traceparent", b"\x00" * 55)], b'{"names": {}}'),
        lambda: (told, b'{"site": "\'; drop table operation; --", "app": ["' + b"../" * 200 + b'"]}'),
    ]
    return random.choice(ways)()


def record(kind: str, topic: str, draw: int) -> tuple[bytes, Headers, bytes | None]:
    """Key, headers and body of an `unreadable_record` or a `hostile_record`, always the same for a draw."""
    random = Random(draw)  # noqa: S311 - it must be repeatable, not secret
    made: tuple[Headers, bytes | None]
    made = _unreadable(topic, random) if kind == "unreadable_record" else _hostile(topic, random)
    return random.choice([b"fleet", b"site-1", b"\x00\xff", b"k" * 300]), *made


def odd_record(kind: str, topic: str, draw: int) -> Odd:
    """A record of one of the kinds of odd_records.py, always the same for a draw."""
    return made(kind, topic, TYPES[topic], draw)


ODD = frozenset(MAKERS)
