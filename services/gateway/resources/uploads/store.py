"""Uploads under way: who may go on with them, and what is to come. Their bytes lie in the blob store, in parts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shared.process.db import Connection, Queries

SQL = Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload, as its client announced it."""

    id: str
    owner: str
    bytes: int
    file_name: str
    sha256: str | None
    """What it is to be, or, once it is complete, what it is."""
    app: str | None
    version: str | None
    state: str
    expires_at: datetime


async def add(conn: Connection, new: Upload, most: int, now: datetime) -> bool:
    """Begin an upload, unless `most` are under way."""
    await SQL.row(conn, "lock_room")
    if await SQL.value(conn, "count_open", now=now) >= most:
        return False
    named = {name: getattr(new, name) for name in Upload.__slots__ if name != "state"}
    await SQL.run(conn, "add_upload", **named)
    return True


async def find(conn: Connection, id_: str, owner: str, now: datetime) -> Upload | None:
    """One of this owner that has not expired."""
    row = await SQL.row(conn, "find_upload", id=id_, owner=owner, now=now)
    return Upload(**dict(row)) if row else None


async def take_up(conn: Connection, id_: str, writer: str, now: datetime, lease: timedelta) -> bool:
    """Be the one that writes, for so long; False while somebody else is, or when it is complete."""
    return bool(await SQL.value(conn, "take_up", id=id_, writer=writer, now=now, until=now + lease))


async def write_on(conn: Connection, id_: str, writer: str, until: datetime) -> bool:
    """Stay the one that writes; False when somebody else may have written since."""
    return bool(await SQL.value(conn, "write_on", id=id_, writer=writer, until=until))


async def lay_down(conn: Connection, id_: str, writer: str) -> None:
    """Let the next one write."""
    await SQL.run(conn, "lay_down", id=id_, writer=writer)


async def complete(conn: Connection, id_: str, sha256: str) -> None:
    """All of it lies in the blob store under this digest."""
    await SQL.run(conn, "complete", id=id_, sha256=sha256)


async def delete(conn: Connection, id_: str) -> None:
    """Forget it."""
    await SQL.run(conn, "delete_upload", id=id_)


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget what has expired before that time, at most so many; how many."""
    return len(await SQL.fetch(conn, "prune", before=before, limit=limit))
