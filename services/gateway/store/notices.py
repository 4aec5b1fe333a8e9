"""Notifications and subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_suffix(".sql"))


class NotificationRow(NamedTuple):
    """A notification as it was raised."""

    notification_id: int
    topic: str
    message: str
    about: str
    link: str
    raised_at: datetime
    failed: str  # JSON


class SubscriptionRow(NamedTuple):
    """A webhook as it stands."""

    name: str
    url: str
    topics: list[str]
    state: str
    reason: str
    format: str
    template: Any
    seq: int
    at: datetime


class DeliveryRow(NamedTuple):
    """A delivery as it stands."""

    delivery_id: str
    subscription: str
    notification_id: int | None
    topic: str
    message: str
    state: str
    tries: int
    status: int | None
    milliseconds: int | None
    reason: str
    next_try_at: datetime | None
    nth: int
    at: datetime


async def put_notifications(conn: Connection, rows: Sequence[NotificationRow]) -> None:
    """Add those that are new."""
    names = ("ids", "topics", "messages", "abouts", "links", "raised", "failed")
    await SQL.run(conn, "put_notifications", **dict(zip(names, columns(rows, 7), strict=True)))


async def mark_read(conn: Connection, ids: Sequence[int]) -> None:
    """Mark them as read."""
    await SQL.run(conn, "mark_read", ids=list(ids))


async def put_subscription(conn: Connection, subscription: SubscriptionRow) -> None:
    """Add or replace one, unless what is there is newer. There are few, and they change by hand."""
    await SQL.run(conn, "put_subscription", **subscription._asdict())


async def put_deliveries(conn: Connection, rows: Sequence[DeliveryRow]) -> None:
    """Add or replace them, each once; an older word on one changes nothing."""
    first = ("ids", "subscriptions", "notification_ids", "topics", "messages", "states", "tries", "statuses")
    rest = ("milliseconds", "reasons", "next_tries", "nths", "ats")
    await SQL.run(conn, "put_deliveries", **dict(zip(first + rest, columns(rows, 13), strict=True)))


async def list_notifications(
    conn: Connection, before: int, limit: int, *, topic: str | None, unread: bool
) -> list[asyncpg.Record]:
    """Notifications, newest first, with ids below `before`."""
    return await SQL.fetch(conn, "list_notifications", before=before, limit=limit, topic=topic, unread=unread)


async def list_subscriptions(conn: Connection, after: str, limit: int) -> list[asyncpg.Record]:
    """Subscriptions by name after `after`, dead ones included."""
    return await SQL.fetch(conn, "list_subscriptions", after=after, limit=limit)


async def find_subscription(conn: Connection, name: str) -> asyncpg.Record | None:
    """One that was not removed."""
    return await SQL.row(conn, "find_subscription", name=name)


async def known_subscriptions(conn: Connection, names: Sequence[str]) -> set[str]:
    """Those of the names under which a webhook is told."""
    return {row["name"] for row in await SQL.fetch(conn, "known_subscriptions", names=list(names))}


async def list_deliveries(
    conn: Connection, subscription: str, before: int, limit: int, state: str | None
) -> list[asyncpg.Record]:
    """Deliveries of a subscription, newest first, with positions below `before`."""
    named = {"subscription": subscription, "before": before, "limit": limit, "state": state}
    return await SQL.fetch(conn, "list_deliveries", **named)


async def find_delivery(conn: Connection, delivery_id: str) -> asyncpg.Record | None:
    """One delivery."""
    return await SQL.row(conn, "find_delivery", delivery_id=delivery_id)


async def prune_notifications(conn: Connection, before: datetime, keep: int) -> int:
    """Forget those raised before `before`, or beyond the newest `keep`; returns how many."""
    return await SQL.run(conn, "prune_notifications", before=before, keep=keep)


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` deliveries that moved last before `before`; returns how many."""
    return await SQL.run(conn, "prune_deliveries", before=before, limit=limit)
