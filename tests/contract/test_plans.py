"""What PostgreSQL would do for each statement while it takes the tables that fill and empty again for empty.

Thousands of holds, running operations, jobs and timers come within seconds. Until their rows are counted again,
PostgreSQL believes there are none, and reads all of them for each row of a batch instead of looking one up: a fleet of
100,000 sites takes hours.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.process import provision
from shared.process.db import Queries, connect_pool, migrate

pytestmark = pytest.mark.service

COME_AND_GO = {"hold", "operation", "job", "timer"}
ROOT = Path(__file__).parents[2]
LEDGER = ROOT / "shared" / "core" / "queries.sql"


def statements(service: str) -> dict[str, str]:
    """All that it may say to PostgreSQL: every .sql file that does not make tables, by file and name."""
    own = [path for path in (ROOT / "services" / service).rglob("*.sql") if "-- name:" in path.read_text()]
    assert own
    files = {path: str(path.relative_to(ROOT)) for path in (LEDGER, *own)}
    return {f"{file}.{name}": sql for path, file in files.items() for name, sql in Queries(path).sql.items()}


def nodes(plan: dict[str, Any], repeated: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each node, and whether it is asked again for each row of another: a subquery, or the inner side of a loop."""
    yield plan, repeated
    for child in plan.get("Plans", []):
        role = child["Parent Relationship"]
        again = role == "SubPlan" or (role == "Inner" and plan["Node Type"] == "Nested Loop")
        yield from nodes(child, repeated or again)


def read_whole(plan: dict[str, Any]) -> set[str]:
    """The tables of which every row is compared with every row of something else."""
    return {
        node["Relation Name"]
        for node, repeated in nodes(plan)
        if repeated and node.get("Relation Name") in COME_AND_GO and "Index Cond" not in node
    }


async def take_for_empty(conn: asyncpg.Connection) -> None:
    tables = await conn.fetch("select tablename from pg_tables where tablename = any($1)", list(COME_AND_GO))
    assert tables
    for (table,) in tables:
        await conn.execute(
            "select pg_restore_relation_stats('schemaname', current_schema()::text, 'relname', $1::text,"
            " 'relpages', 8, 'reltuples', 0::real)",
            table,
        )
    await conn.execute("set enable_seqscan = off")  # in truth they are large
    await conn.execute("set plan_cache_mode = force_generic_plan")


async def explain(conn: asyncpg.Connection, sql: str) -> dict[str, Any]:
    """The plan for whatever the arguments are."""
    await conn.execute(f"prepare statement as {sql}")
    count = await conn.fetchval(
        "select cardinality(parameter_types) from pg_prepared_statements where name = 'statement'"
    )
    arguments = f"({', '.join(['null'] * count)})" if count else ""
    found = json.loads(await conn.fetchval(f"explain (format json) execute statement{arguments}"))
    await conn.execute("deallocate statement")
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


@pytest.mark.parametrize("service", provision.SERVICES)
async def test_no_statement_compares_every_row_of_a_table_that_is_taken_for_empty(
    service: str, database: str, tmp_path: Path
) -> None:
    database_name = urlsplit(database).path.lstrip("/")
    await provision.create_schemas(database, tmp_path, database_name)
    async with await connect_pool(provision.service_dsn(database, service, tmp_path, database_name)) as pool:
        await migrate(pool, f"services.{service}")
        async with pool.acquire() as conn:
            await take_for_empty(conn)
            found = {name: read_whole(await explain(conn, sql)) for name, sql in statements(service).items()}
    assert not {name: tables for name, tables in found.items() if tables}
