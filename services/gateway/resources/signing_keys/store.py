"""Keys that sign bundles."""

from pathlib import Path

import asyncpg

from shared.messages.catalog import SigningKeyChanged
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def put_key(conn: Connection, said: SigningKeyChanged) -> None:
    """A key as it was set last."""
    named = said.model_dump(include={"app", "name", "public_key", "expires_at"})
    await SQL.run(conn, "put_key", **named, set_at=said.at, set_by=said.by)


async def remove_key(conn: Connection, app: str, name: str) -> None:
    """It is trusted no more."""
    await SQL.run(conn, "remove_key", app=app, name=name)


async def list_keys(conn: Connection, app: str) -> list[asyncpg.Record]:
    """Those of an app, by name."""
    return await SQL.fetch(conn, "list_keys", app=app)
