"""Notifications."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

MOST = 10_000
"""So many are kept: as the notifier does, unless it is told otherwise."""

SQL = Queries(Path(__file__).with_name("queries.sql"))


class NotificationRow(NamedTuple):
    """A notification as it was raised."""

    notification_id: int
    topic: str
    message: str
    about: str
    link: str
    raised_at: datetime
    failed: str  # JSON


async def put_notifications(conn: Connection, rows: Sequence[NotificationRow]) -> None:
    """Add those that are new."""
    names = ("ids", "topics", "messages", "abouts", "links", "raised", "failed")
    await SQL.run(conn, "put_notifications", **dict(zip(names, columns(rows, 7), strict=True)))


async def mark_read(conn: Connection, ids: Sequence[int]) -> None:
    """Mark them as read."""
    await SQL.run(conn, "mark_read", ids=list(ids))


async def list_notifications(
    conn: Connection, before: int, limit: int, *, topic: str | None, unread: bool
) -> list[asyncpg.Record]:
    """Notifications, newest first, with ids below `before`."""
    return await SQL.fetch(conn, "list_notifications", before=before, limit=limit, topic=topic, unread=unread)


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` of those raised before `before`, or beyond the newest MOST; returns how many."""
    return await SQL.run(conn, "prune_notifications", before=before, keep=MOST, limit=limit)
