"""A world of its own for one test: topics under a prefix, a database with every schema, and services run inside it.

`world.run("catalog", wire)` runs a service in this process as its own replica would run elsewhere;
`world.send(command)` publishes as any Kafka client would, `world.answer(...)` and `world.until(...)` await events.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.core.errors import Unreadable
from shared.messages.base import CommandAccepted, CommandRejected, Message
from shared.process import provision
from shared.process.service import Service, Wire, build
from shared.process.settings import Settings
from shared.wire.access import at
from shared.wire.codec import Envelope, decode, encode, new_id, new_trace
from shared.wire.fetching import fit_to_read
from shared.wire.topics import DEAD_LETTERS, TOPICS, UNPACKED_BYTES
from tests.support.patience import come
from tests.support.runtime import execute
from tests.support.template import Template, copied

M = TypeVar("M", bound=Message)
PATIENCE = 45.0


@dataclass
class World:
    """What a test may do with Kafka, PostgreSQL and the services under test."""

    kafka: str
    database_dsn: str
    template: Template
    """What the database is a copy of."""
    prefix: str
    home: Path
    producer: AIOKafkaProducer
    seen: list[Envelope[Message]] = field(default_factory=list)
    dead: list[Any] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    # -- services ---------------------------------------------------------------------------------------------

    def settings(self, service: str, instance: str = "1", **more: Any) -> Settings:
        """Settings of one replica; the session timeout is short, so that a lost replica is noticed soon."""
        return Settings(
            postgres=self.dsn(service),
            home=self.home,
            instance=instance,
            topic_prefix=self.prefix,
            **{"kafka": self.kafka, "lease_seconds": 2.0, **more},
        )

    def dsn(self, service: str) -> str:
        """By which a service reaches its own schema."""
        own = provision.service_dsn(self.database_dsn, service, self.template.home, self.template.name)
        return urlsplit(own)._replace(path=urlsplit(self.database_dsn).path).geturl()

    @asynccontextmanager
    async def run(self, name: str, wire: Wire, instance: str = "1", **settings: Any) -> AsyncIterator[Service]:
        """A running replica; stopped in order at the end. What it broke on is raised here."""
        service = await build(name, wire, self.settings(name, instance, **settings))
        task = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            if not task.done():
                task.cancel()
            result = (await asyncio.gather(task, return_exceptions=True))[0]
            service.pool.terminate()
            if isinstance(result, Exception):
                raise result

    # -- messages ---------------------------------------------------------------------------------------------

    async def send(self, message: Message, message_id: str | None = None, **attributes: Any) -> str:
        """Publish a message as its sender would; returns its id."""
        envelope = Envelope(
            data=message,
            id=message_id or new_id(),
            source="/test",
            time=datetime.now(UTC),
            traceparent=new_trace(),
            **attributes,
        )
        key, headers, body = encode(envelope)
        await self.producer.send_and_wait(self.prefix + message.TOPIC, body, key=key, headers=headers)
        return envelope.id

    async def send_raw(self, topic: str, body: bytes, headers: dict[str, str], key: bytes = b"k") -> None:
        """Publish any bytes as a foreign client might."""
        pairs = [(name, value.encode()) for name, value in headers.items()]
        await self.producer.send_and_wait(self.prefix + topic, body, key=key, headers=pairs)

    async def until(self, kind: type[M], where: Callable[[M], bool] = lambda _: True, patience: float = PATIENCE) -> M:
        """The first event of this kind for which `where` holds, seen already or still to come."""
        found: list[M] = []

        def look() -> bool:
            found.extend(e.data for e in self.seen if isinstance(e.data, kind) and where(e.data))
            return bool(found)

        await self._wait(look, f"no {kind.__name__} came", patience)
        return found[0]

    async def answer(self, command_id: str, patience: float = PATIENCE) -> CommandAccepted | CommandRejected:
        """The answer to a command."""
        found: list[Any] = []

        def look() -> bool:
            found.extend(self.answers(command_id))
            return bool(found)

        await self._wait(look, f"no answer to {command_id} came", patience)
        return found[0]

    def answers(self, command_id: str) -> list[Any]:
        """Every answer to a command that was seen, repeated records included."""
        kinds = (CommandAccepted, CommandRejected)
        return [e.data for e in self.seen if isinstance(e.data, kinds) and e.data.command_id == command_id]

    def events(self, kind: type[M]) -> list[M]:
        """All events of one kind seen so far."""
        return [e.data for e in self.seen if isinstance(e.data, kind)]

    async def ask(self, message: Message, **attributes: Any) -> CommandAccepted | CommandRejected:
        """Publish a command and await its answer."""
        return await self.answer(await self.send(message, **attributes))

    async def dead_letter(self, where: Callable[[Any], bool] = lambda _: True) -> Any:
        """The first dead letter for which `where` holds."""
        await self._wait(lambda: any(where(r) for r in self.dead), "no dead letter came", PATIENCE)
        return next(r for r in self.dead if where(r))

    async def _wait(self, look: Callable[[], bool], otherwise: str, patience: float) -> None:
        try:
            await come(self.news, look, lambda: (len(self.seen), len(self.dead)), patience)
        except TimeoutError:
            kinds = [type(e.data).__name__ for e in self.seen][-30:]
            raise AssertionError(f"{otherwise}; last seen: {kinds}; dead letters: {len(self.dead)}") from None

    async def watch(self, consumer: AIOKafkaConsumer) -> None:
        """Read every topic from the beginning, for as long as the test runs."""
        while True:
            polled = await consumer.getmany(timeout_ms=200)
            async with self.news:
                for partition, records in polled.items():
                    self._note(partition, records)
                self.news.notify_all()

    def _note(self, partition: TopicPartition, records: list[Any]) -> None:
        if partition.topic.endswith(DEAD_LETTERS):
            self.dead.extend(records)
            return
        for record in records:
            try:
                self.seen.append(decode(record))
            except Unreadable:
                continue  # a test's own unreadable record


@pytest.fixture
async def world(
    kafka: str, postgres_admin: str, template: Template, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[World]:
    """Topics, tables, a producer and a watcher of every topic."""
    topics = provision.create_topics(at(kafka), topic_prefix)
    database, _ = await asyncio.gather(copied(postgres_admin, template), topics)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=100_000_000)
    async with _watched(World(kafka, database, template, topic_prefix, tmp_path, producer)) as world:
        yield world
    await execute(postgres_admin, f"drop database {urlsplit(database).path.lstrip('/')} with (force)")


@asynccontextmanager
async def _watched(world: World) -> AsyncIterator[World]:
    """Somebody reads all its topics; they are gone afterwards, wherever the test has sent its services meanwhile."""
    kafka = world.kafka
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    fit_to_read(consumer, UNPACKED_BYTES, careful=True)  # what the tests write no plain consumer can read
    await world.producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(world.prefix + t.name, p) for t in TOPICS.values() for p in range(t.partitions)])
    watcher = asyncio.create_task(world.watch(consumer))
    yield world
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    await consumer.stop()
    await world.producer.stop()
    await _delete_topics(kafka, world.prefix)


async def _delete_topics(kafka: str, prefix: str) -> None:
    """All of this test's: a broker with the topics of hundreds of tests takes ten times as long for each."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        await admin.delete_topics([topic for topic in await admin.list_topics() if topic.startswith(prefix)])
    finally:
        await admin.close()
