"""The servers that the tests run on are the real ones; the product's PostgreSQL is crash-safe besides."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.embedded import launch, ports, postgres
from shared.embedded.home import Home
from tests.support import runtime

#: Without these, what was committed may be gone or torn after the machine fell.
SAFE = ("fsync", "full_page_writes", "synchronous_commit")

pytestmark = pytest.mark.service


async def test_a_record_sent_to_kafka_is_read_back(kafka: str, topic_prefix: str) -> None:
    topic = f"{topic_prefix}echo"
    await create_topic(kafka, topic)
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"hello")
    async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        assert (await consumer.getone()).value == b"hello"


async def test_postgres_asks_for_the_password(database: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database, password="wrong")


async def test_postgres_as_the_product_starts_it_outlives_a_fall_of_the_machine(tmp_path: Path) -> None:
    home = Home.open(tmp_path, runtime.JARS)
    ports.allocate(home, "postgres")
    command = launch.command_line(home, "postgres")
    with (tmp_path / "log").open("ab") as log:
        server = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, start_new_session=True)
    try:
        await postgres.ready(postgres.admin_dsn(home), runtime.START_SECONDS)
        assert await shown(postgres.admin_dsn(home), *SAFE) == dict.fromkeys(SAFE, "on")
    finally:
        runtime.end_leftovers(home)
        await server.wait()


async def test_each_test_has_a_database_of_its_own(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("select count(*) from pg_stat_user_tables") == 0
    finally:
        await connection.close()


async def shown(dsn: str, *names: str) -> dict[str, str]:
    connection = await asyncpg.connect(dsn)
    try:
        return {name: await connection.fetchval(f"show {name}") for name in names}
    finally:
        await connection.close()


async def create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()
