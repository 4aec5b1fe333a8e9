"""Kafka over TLS with a login, and PostgreSQL over TLS: every client of Belay gets in, and nobody who may not."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import trustme
from aiokafka.errors import KafkaError

from services.strategy_orchestrator.app import wire as strategy_orchestrator
from shared.messages.base import CommandAccepted
from shared.messages.monitor import StageForecast
from shared.messages.strategy import CreateGroup, RegisterSites, Site
from shared.process import provision
from shared.wire.access import KafkaSettings
from shared.wire.consumer_group import Group
from shared.wire.kafka import admin
from tests.service.gateway.api import gateway
from tests.service.monitor.test_monitor import monitor, progress
from tests.support.secure_servers import SecureKafka, secure_kafka, tls_before
from tests.support.world import World

pytestmark = [pytest.mark.service, pytest.mark.long]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture(scope="module")
def kafka(secured: SecureKafka) -> str:
    """The test itself reads and writes by the plain listener."""
    return secured.plain


async def test_every_service_works_over_tls_with_a_login(world: World, secured: SecureKafka) -> None:
    secure = secured.settings()
    await provision.create_topics(KafkaSettings(**secure), world.prefix)
    async with (
        world.run("strategy_orchestrator", strategy_orchestrator, **secure),
        gateway(world, settings=secure) as api,
        monitor(world, **secure),
    ):
        assert isinstance(await world.ask(CreateGroup(name="north")), CommandAccepted)
        await world.ask(RegisterSites(sites=(Site(name="oslo-1", group="north"),)))
        await api.shows("/v1/sites/oslo-1", lambda site: site["group"] == "north")
        await api.shows("/v1/dlq", lambda page: page["items"] is not None)
        await world.send(progress(0))
        await world.until(StageForecast)
        async with Group(KafkaSettings(**secure), f"{world.prefix}strategy_orchestrator") as group:
            assert [member.client for member in await group.members()] == ["strategy_orchestrator-1"]


@pytest.mark.parametrize(
    "other", [{"kafka_user": "stranger"}, {"kafka_mechanism": "PLAIN"}, {"kafka_security": "ssl"}, {"kafka_ca": None}]
)
async def test_who_may_not_get_in_is_refused(secured: SecureKafka, other: dict[str, str]) -> None:
    told = secured.settings(**other)
    if other.get("kafka_security") == "ssl":
        del told["kafka_user"], told["kafka_password_file"]
    client = admin(KafkaSettings(**told), request_timeout_ms=3_000)
    try:
        with pytest.raises(KafkaError):
            await client.start()
    finally:
        await client.close()


async def test_a_service_reaches_postgresql_over_tls_and_no_other_server(database: str, tmp_path: Path) -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    for name, ca in (("ours", authority), ("theirs", stranger)):
        ca.cert_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    parts = urlsplit(database)
    async with tls_before(str(parts.hostname), int(parts.port or 0), authority) as port:
        netloc = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
        dsn = parts._replace(netloc=netloc, query=f"sslmode=verify-full&sslrootcert={tmp_path}/ours.pem").geturl()
        await provision.create_schemas(dsn, tmp_path, parts.path.lstrip("/"))
        own = provision.service_dsn(dsn, "catalog", tmp_path, parts.path.lstrip("/"))
        conn = await asyncpg.connect(own)
        assert await conn.fetchval("select current_schema()") == "catalog"
        await conn.close()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncpg.connect(own.replace("ours.pem", "theirs.pem"))
