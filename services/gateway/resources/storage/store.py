"""How much the bundles take."""

from pathlib import Path

import asyncpg

from shared.messages.catalog import StorageMeasured
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def put_storage(conn: Connection, said: StorageMeasured, seq: int) -> None:
    """How much the bundles take, unless something newer is known."""
    facts = said.model_dump(exclude={"store", "limit_bytes"})
    await SQL.run(conn, "put_storage", **facts, seq=seq)


async def find_storage(conn: Connection) -> asyncpg.Record | None:
    """How much the bundles take; None = nobody has said so yet."""
    return await SQL.row(conn, "find_storage")
