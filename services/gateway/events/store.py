"""The log of events for the stream."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg

from services.gateway.events.stream_events import StreamEvent
from shared.process.db import Connection, Queries

ROWS = 500
BYTES = 500_000
"""Read at once. After a restart every client of a replica may read what it missed, all at the same time."""

SQL = Queries(Path(__file__).with_name("queries.sql"))


async def write(conn: Connection, stream_events: Sequence[StreamEvent], now: datetime) -> None:
    """Append to the log; every other writer waits until this transaction ends."""
    types, strategies, bodies = (
        [n.type for n in stream_events],
        [n.strategy_id for n in stream_events],
        [n.body for n in stream_events],
    )
    await SQL.run(conn, "write_events", types=types, strategy_ids=strategies, bodies=bodies, now=now)


async def after(
    conn: Connection,
    position: int,
    up_to: int,
    strategy_id: str | None = None,
    types: Sequence[str] | None = None,
) -> tuple[list[asyncpg.Record], bool]:
    """Rows (position, type, strategy_id, body) after `position`, up to and including `up_to`, oldest first.

    At most ROWS of them and about BYTES; and whether there may be more.
    """
    interest = {"strategy_id": strategy_id, "types": types}
    rows = await SQL.fetch(conn, "events_after", after=position, up_to=up_to, limit=ROWS, bytes=BYTES, **interest)
    return rows, len(rows) == ROWS or sum(len(row["body"].encode()) for row in rows) >= BYTES


async def last_position(conn: Connection) -> int:
    """The highest position ever given out."""
    return int(await SQL.value(conn, "last_position"))


async def first_position(conn: Connection) -> int | None:
    """The lowest position still in the log; None when it is empty."""
    position: int | None = await SQL.value(conn, "first_position")
    return position


async def prune(conn: Connection, keep: int, before: datetime) -> int:
    """Forget all but the last `keep` events, and those older than `before`."""
    return await SQL.run(conn, "prune_events", keep=keep, before=before)
