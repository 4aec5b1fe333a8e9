"""What takes room on disk, in bytes: every table with its indexes, the devices' journal, Kafka's log."""

import asyncio

import asyncpg

from tests.bench import costs, journal
from tests.bench.rig import Rig

TABLES = """
    select n.nspname || '.' || c.relname as name, pg_total_relation_size(c.oid) as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
"""
JOURNAL, KAFKA, ALL_TABLES = "journal of the devices", "Kafka's log", "all tables"


def sizes(rig: Rig) -> dict[str, int]:
    """Bytes now, by `schema.table`, and of the journal and the log; all tables together under a name of their own."""
    tables = asyncio.run(_tables(rig.database))
    whole = {ALL_TABLES: sum(tables.values()), JOURNAL: journal.marks(rig), KAFKA: costs.log_bytes(rig.home)}
    return tables | whole


async def _tables(dsn: str) -> dict[str, int]:
    conn = await asyncpg.connect(dsn)
    try:
        return {row["name"]: int(row["bytes"]) for row in await conn.fetch(TABLES)}
    finally:
        await conn.close()
