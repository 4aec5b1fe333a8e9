"""What PostgreSQL spent its time on: pg_stat_statements, of all databases and roles."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
from rich.table import Table

from tests.bench.rig import Rig

SETTINGS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "10000"}
TOP = 30
BEGIN = "create extension if not exists pg_stat_statements; select pg_stat_statements_reset()"
LOOK = """
    select r.rolname as role, s.query, s.calls, s.rows, s.wal_bytes::bigint as wal,
        s.total_exec_time * 1000 as us, s.shared_blks_hit + s.shared_blks_read as blocks
    from pg_stat_statements s join pg_roles r on r.oid = s.userid
    order by s.total_exec_time desc limit $1
"""


def begin(rig: Rig) -> None:
    """Count from now on. The rig must have been started with SETTINGS."""
    asyncio.run(_run(rig.admin, BEGIN))


def top(rig: Rig) -> Sequence[Any]:
    """The dearest statements."""
    return asyncio.run(_fetch(rig.admin, LOOK, TOP))


async def _run(dsn: str, script: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute(script)
    finally:
        await conn.close()


async def _fetch(dsn: str, query: str, *arguments: object) -> Sequence[Any]:
    conn = await asyncpg.connect(dsn)
    try:
        return await conn.fetch(query, *arguments)
    finally:
        await conn.close()


def table(rows: Sequence[Any], steps: int) -> Table:
    """One row a statement, all figures for each step."""
    columns = ("role", "µs/step", "calls/step", "rows/step", "WAL B/step", "blocks/step", "statement")
    shown = Table(*columns, title="PostgreSQL's dearest statements")
    for row in rows:
        each = [row[name] / steps for name in ("us", "calls", "rows", "wal", "blocks")]
        numbers = (f"{each[0]:.2f}", f"{each[1]:.4f}", f"{each[2]:.3f}", f"{each[3]:.0f}", f"{each[4]:.2f}")
        shown.add_row(row["role"], *numbers, " ".join(row["query"].split())[:100])
    return shown
