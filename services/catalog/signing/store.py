"""Keys that may sign: one typed method a query."""

from datetime import datetime
from pathlib import Path

from services.catalog.signing.domain import Key
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def put_key(conn: Connection, app: str, name: str, public_key: str, expires_at: datetime | None) -> None:
    """Trust a key for an app, or from now on another one under this name."""
    await SQL.run(conn, "put_key", app=app, name=name, public_key=public_key, expires_at=expires_at)


async def remove_key(conn: Connection, app: str, name: str) -> bool:
    """Trust it no more; False when there is none of this name."""
    return bool(await SQL.value(conn, "remove_key", app=app, name=name))


async def keys_of(conn: Connection, app: str) -> list[Key]:
    """The keys of an app, those that have expired among them."""
    return [Key(**dict(row)) for row in await SQL.fetch(conn, "keys_of", app=app)]
