"""Subscriptions, and their deliveries."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))


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


async def put_subscription(conn: Connection, subscription: SubscriptionRow) -> None:
    """Add or replace one, unless what is there is newer. There are few, and they change by hand."""
    await SQL.run(conn, "put_subscription", **subscription._asdict())


async def put_deliveries(conn: Connection, rows: Sequence[DeliveryRow]) -> None:
    """Add or replace them, each once; an older word on one changes nothing."""
    first = ("ids", "subscriptions", "notification_ids", "topics", "messages", "states", "tries", "statuses")
    rest = ("milliseconds", "reasons", "next_tries", "nths", "ats")
    await SQL.run(conn, "put_deliveries", **dict(zip(first + rest, columns(rows, 13), strict=True)))


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


async def prune(conn: Connection, before: datetime, limit: int) -> int:
    """Forget up to `limit` deliveries that moved last before `before`; returns how many."""
    return await SQL.run(conn, "prune_deliveries", before=before, limit=limit)
