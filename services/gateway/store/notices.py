"""Notifications and subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from shared.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_suffix(".sql"))


class NotificationRow(NamedTuple):
    """A notification as it was raised."""

    notification_id: int
    topic: str
    message: str
    about: str
    link: str
    raised_at: datetime


async def put_notifications(conn: Connection, rows: Sequence[NotificationRow]) -> None:
    """Add those that are new."""
    ids, topics, messages, abouts, links, raised = columns(rows, 6)
    named = {"ids": ids, "topics": topics, "messages": messages, "abouts": abouts, "links": links}
    await SQL.run(conn, "put_notifications", **named, raised=raised)


async def mark_read(conn: Connection, ids: Sequence[int]) -> None:
    """Mark them as read."""
    await SQL.run(conn, "mark_read", ids=list(ids))


async def put_subscription(
    conn: Connection, *, name: str, url: str, topics: list[str], state: str, reason: str, seq: int, at: datetime
) -> None:
    """Add or replace one, unless what is there is newer. There are few, and they change by hand."""
    named = {"name": name, "url": url, "topics": topics, "state": state, "reason": reason}
    await SQL.run(conn, "put_subscription", **named, seq=seq, at=at)


async def list_notifications(
    conn: Connection, before: int, limit: int, *, topic: str | None, unread: bool
) -> list[asyncpg.Record]:
    """Notifications, newest first, with ids below `before`."""
    return await SQL.fetch(conn, "list_notifications", before=before, limit=limit, topic=topic, unread=unread)


async def list_subscriptions(conn: Connection, after: str, limit: int) -> list[asyncpg.Record]:
    """Subscriptions by name after `after`, dead ones included."""
    return await SQL.fetch(conn, "list_subscriptions", after=after, limit=limit)
