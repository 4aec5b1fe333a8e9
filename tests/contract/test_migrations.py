"""A schema that grew by migrations is the schema that a new installation gets."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.process import provision
from shared.process.db import connect_pool, migrate

pytestmark = pytest.mark.service

FIRST = Path(__file__).parent / "data" / "first_schemas"
"""The schemas of the first version, as they were; they stay for ever."""

WITH_MIGRATIONS = sorted(path.stem for path in FIRST.glob("*.sql") if path.stem != "ledger")

DESCRIPTIONS = {
    "columns": "select table_name, column_name, data_type, is_nullable, column_default, is_identity"
    " from information_schema.columns where table_schema = current_schema()",
    "constraints": "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint"
    " where connamespace = current_schema()::regnamespace",
    "indexes": "select tablename, indexdef from pg_indexes where schemaname = current_schema()",
    "views": "select viewname, definition from pg_views where schemaname = current_schema()",
    "sequences": "select sequencename, data_type from pg_sequences where schemaname = current_schema()",
    "functions": "select proname, prosrc from pg_proc where pronamespace = current_schema()::regnamespace",
}


async def described(conn: asyncpg.Connection) -> dict[str, set[tuple[Any, ...]]]:
    """All that a schema is made of, whatever the order of columns and the names of constraints."""
    return {what: {tuple(row) for row in await conn.fetch(sql)} for what, sql in DESCRIPTIONS.items()}


def dsn(database: str, service: str, home: Path) -> str:
    return provision.service_dsn(database, service, home, urlsplit(database).path.lstrip("/"))


async def prepare(database: str, home: Path) -> None:
    await provision.create_schemas(database, home, urlsplit(database).path.lstrip("/"))


@pytest.mark.parametrize("service", WITH_MIGRATIONS)
async def test_the_first_schema_and_all_migrations_make_the_present_one(
    service: str, database: str, tmp_path: Path
) -> None:
    await prepare(database, tmp_path)
    pool = await connect_pool(dsn(database, service, tmp_path))
    await migrate(pool, f"services.{service}")
    async with pool.acquire() as conn:
        fresh = await described(conn)
    await pool.close()
    admin = await asyncpg.connect(database)
    await admin.execute(f'drop schema "{service}" cascade')
    await admin.close()
    await prepare(database, tmp_path)
    pool = await connect_pool(dsn(database, service, tmp_path))
    async with pool.acquire() as conn:
        await conn.execute("create table migration (name text primary key, at timestamptz default now())")
        await conn.execute((FIRST / "ledger.sql").read_text() + (FIRST / f"{service}.sql").read_text())
        await conn.execute("insert into migration (name) values ('schema.sql')")
    await migrate(pool, f"services.{service}")
    async with pool.acquire() as conn:
        grown = await described(conn)
    await pool.close()
    for what, parts in fresh.items():
        assert grown[what] == parts, what


def test_every_service_with_tables_has_its_first_schema_kept() -> None:
    assert set(provision.SERVICES) == set(WITH_MIGRATIONS)
