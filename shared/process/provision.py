"""Prepare a Kafka and a PostgreSQL for Belay: topics, database, one role and schema a service. Safe to repeat.

`python -m shared.process.provision` reads BELAY_KAFKA and what goes with it (wire/access.py), BELAY_POSTGRES_ADMIN,
BELAY_HOME and BELAY_TOPIC_PREFIX.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.wire.access import KafkaSettings
from shared.wire.kafka import admin
from shared.wire.topics import topics

SERVICES = ("catalog", "deployer", "strategy_orchestrator", "notifier", "gateway")
"""The services that own tables, each under a role and schema of its own name."""

DATABASE = "belay"

LIMIT = "max.message.bytes"
OF_THE_TOPIC = 1
"""Where a setting comes from, as Kafka describes it: the topic's own (DYNAMIC_TOPIC_CONFIG)."""


def service_dsn(admin_dsn: str, service: str, home: Path, database: str = DATABASE) -> str:
    """The URL by which one service reaches its own schema, with its own role."""
    parts = urlsplit(admin_dsn)
    host = parts.netloc.rpartition("@")[2]
    login = f"{_role(service, database)}:{_password(home, service)}"
    return urlunsplit(parts._replace(netloc=f"{login}@{host}", path=f"/{quote(database)}"))


async def provision(
    kafka: KafkaSettings, admin_dsn: str, home: Path, prefix: str = "belay.", database: str = DATABASE
) -> None:
    """Create what is missing; what exists stays, but topics take records as large as they must (role passwords are
    set anew)."""
    await create_topics(kafka, prefix)
    await create_database(admin_dsn, database)
    await create_schemas(admin_dsn, home, database)


async def create_topics(kafka: KafkaSettings, prefix: str) -> None:
    """Create the topics of topics.py that are not there; those that are there take records as large as they must.

    Raises KafkaError when Kafka refuses it.
    """
    wanted = topics(kafka.unpacked_max).values()
    client = admin(kafka)
    try:
        await client.start()
        there = set(await client.list_topics())
        replicas = min(3, len((await client.describe_cluster())["brokers"]))
        missing = [
            NewTopic(prefix + t.name, t.partitions, replicas, topic_configs=t.config)
            for t in wanted
            if prefix + t.name not in there
        ]
        if missing:
            made = await client.create_topics(missing)
            refused = [one for one in made.topic_errors if one[1] != TopicAlreadyExistsError.errno]
            _raise_for((code, f"topic {name}") for name, code, *_ in refused)
        await _widen(client, {prefix + t.name: t.max_bytes for t in wanted if prefix + t.name in there})
    finally:
        await client.close()


async def _widen(client: AIOKafkaAdminClient, sizes: dict[str, int]) -> None:
    """Raise the limit of those topics whose limit is lower; all other settings stay as their operator has them."""
    if not sizes:
        return
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in sizes])
    found = [resource for answer in answers for resource in answer.resources]
    _raise_for((code, message) for code, message, *_ in found)
    changes = [
        ConfigResource(ConfigResourceType.TOPIC, name, {**own, LIMIT: str(sizes[name])})
        for _, _, _, name, settings in found
        if int({setting[0]: setting[1] for setting in settings}[LIMIT]) < sizes[name]
        # Kafka takes the whole list of a topic's own settings: what is left out goes back to its default.
        for own in [{setting[0]: setting[1] for setting in settings if setting[3] == OF_THE_TOPIC}]
    ]
    outcomes = await client.alter_configs(changes) if changes else ()
    _raise_for((code, message) for outcome in outcomes for code, message, *_ in outcome.resources)


def _raise_for(outcomes: Iterable[tuple[int, str]]) -> None:
    """Raise the first refusal among what Kafka answered."""
    for code, message in outcomes:
        if code:
            raise for_code(code)(message)


async def create_database(admin_dsn: str, database: str = DATABASE) -> None:
    """Create the database if it is not there."""
    conn = await asyncpg.connect(admin_dsn)
    try:
        if not await conn.fetchval("select true from pg_database where datname = $1", database):
            await conn.execute(f'create database "{database}"')
    finally:
        await conn.close()


async def create_schemas(admin_dsn: str, home: Path, database: str = DATABASE) -> None:
    """One role and one schema a service; no role may look into another's schema."""
    conn = await asyncpg.connect(urlunsplit(urlsplit(admin_dsn)._replace(path=f"/{quote(database)}")))
    try:
        await conn.execute("revoke all on schema public from public")
        for service in SERVICES:
            await _create_schema(conn, service, _role(service, database), _password(home, service), database)
    finally:
        await conn.close()


async def _create_schema(
    conn: "asyncpg.Connection[asyncpg.Record]", service: str, role: str, password: str, db: str
) -> None:
    # Identifiers and the password are ours (words and hex), never a user's; DDL takes no parameters.
    if not await conn.fetchval("select true from pg_roles where rolname = $1", role):
        await conn.execute(f'create role "{role}" login')
    await conn.execute(f"alter role \"{role}\" password '{password}'")
    await conn.execute(f'alter role "{role}" in database "{db}" set search_path = {service}')
    await conn.execute(f'grant "{role}" to current_user')
    await conn.execute(f'create schema if not exists {service} authorization "{role}"')


def _role(service: str, database: str) -> str:
    return f"{database}_{service}"


def _password(home: Path, service: str) -> str:
    """Derived from one secret under the home, so that nothing else has to be kept."""
    return hmac.new(_secret(home), service.encode(), hashlib.sha256).hexdigest()[:40]


def _secret(home: Path) -> bytes:
    path = home / "secret"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        fresh = home / f"secret.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(32))
        fresh.rename(path)
    return path.read_bytes()


def main() -> None:
    """Entry point; raises KeyError when an address is missing."""
    environment = os.environ
    home = Path(environment.get("BELAY_HOME", ".belay"))
    prefix = environment.get("BELAY_TOPIC_PREFIX", "belay.")
    asyncio.run(provision(KafkaSettings(), environment["BELAY_POSTGRES_ADMIN"], home, prefix))


if __name__ == "__main__":
    main()
