"""Tokens: only their hashes."""

from datetime import datetime
from pathlib import Path

import asyncpg

from services.gateway.domain import Role
from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def lock(conn: Connection) -> None:
    """Wait for other replicas that count or change tokens; held until the transaction ends."""
    await SQL.fetch(conn, "lock_tokens")


async def put(
    conn: Connection, *, token_id: str, name: str, role: Role, hashed: str, created_by: str, now: datetime
) -> bool:
    """Add a token; False when its name is taken."""
    named = {"id": token_id, "name": name, "role": role, "hash": hashed, "created_by": created_by}
    return await SQL.value(conn, "put_token", **named, now=now) is not None


async def find(conn: Connection, token_id: str) -> asyncpg.Record | None:
    """The token with this id."""
    return await SQL.row(conn, "find_token", id=token_id)


async def use(conn: Connection, token_id: str, now: datetime) -> None:
    """Note that a token opened something; to the minute."""
    await SQL.run(conn, "use_token", id=token_id, now=now)


async def count(conn: Connection) -> int:
    """How many there are."""
    return int(await SQL.value(conn, "count_tokens"))


async def other_admins(conn: Connection, token_id: str) -> int:
    """How many admins' tokens there are besides this one."""
    return int(await SQL.value(conn, "count_other_admins", id=token_id))


async def delete(conn: Connection, token_id: str) -> None:
    """Delete a token; from now on it opens nothing."""
    await SQL.run(conn, "delete_token", id=token_id)


async def page(conn: Connection, after: str, limit: int) -> list[asyncpg.Record]:
    """Tokens by name, without hashes."""
    return await SQL.fetch(conn, "list_tokens", after=after, limit=limit)
