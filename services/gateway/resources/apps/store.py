"""Apps: what their releases and deployments say together."""

from pathlib import Path

import asyncpg

from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def list_apps(conn: Connection, after: str, limit: int) -> list[asyncpg.Record]:
    """Apps by name, with `releases` as a list of [scheme, version, state]."""
    return await SQL.fetch(conn, "list_apps", after=after, limit=limit)
