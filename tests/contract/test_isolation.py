"""A service reaches its own tables and nobody else's, and its schema is made once, whoever comes first."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.process import provision
from shared.process.db import connect_pool, migrate

pytestmark = pytest.mark.service


def dsn(database: str, service: str, home: Path) -> str:
    return provision.service_dsn(database, service, home, urlsplit(database).path.lstrip("/"))


async def prepare(database: str, home: Path) -> None:
    await provision.create_schemas(database, home, urlsplit(database).path.lstrip("/"))


async def test_no_role_may_look_into_the_schema_of_another(database: str, tmp_path: Path) -> None:
    await prepare(database, tmp_path)
    for service in provision.SERVICES:
        pool = await connect_pool(dsn(database, service, tmp_path))
        await migrate(pool, f"services.{service}")
        await pool.close()
    for service in provision.SERVICES:
        conn = await asyncpg.connect(dsn(database, service, tmp_path))
        assert await conn.fetchval("select count(*) from outbox") == 0
        for other in set(provision.SERVICES) - {service}:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.fetch(f"select * from {other}.outbox")  # noqa: S608 - our own words
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("create table public.mine (a integer)")
        await conn.close()


async def test_replicas_that_start_together_make_the_schema_once(database: str, tmp_path: Path) -> None:
    await prepare(database, tmp_path)
    pools = [await connect_pool(dsn(database, "catalog", tmp_path)) for _ in range(4)]
    await asyncio.gather(*(migrate(pool, "services.catalog") for pool in pools))
    assert await pools[0].fetchval("select count(*) from migration where name = 'schema.sql'") == 1
    for pool in pools:
        await pool.close()


async def test_provisioning_again_changes_nothing(database: str, tmp_path: Path) -> None:
    await prepare(database, tmp_path)
    pool = await connect_pool(dsn(database, "catalog", tmp_path))
    await migrate(pool, "services.catalog")
    await prepare(database, tmp_path)
    assert await pool.fetchval("select count(*) from outbox") == 0
    await pool.close()
