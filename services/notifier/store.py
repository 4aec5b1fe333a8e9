"""The notifier's tables: one typed method a query."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.notifier.domain import DeliveryState, Parcel, Verdict
from services.notifier.news import Note
from shared.db import Connection, Queries, columns
from shared.messages.words import NotificationTopic

SQL = Queries(Path(__file__).with_name("queries.sql"))


# -- notifications ------------------------------------------------------------------------------------------------


async def hear(conn: Connection, event_ids: Sequence[str], now: datetime) -> set[str]:
    """The events that were not told of before; they count as told from now on."""
    rows = await SQL.fetch(conn, "hear", event_ids=list(event_ids), now=now)
    return {row["event_id"] for row in rows}


async def begin_quiet(conn: Connection, keys: Sequence[str], now: datetime, until: datetime) -> set[str]:
    """The warnings that are not quiet now; from now on they are, until `until`."""
    rows = await SQL.fetch(conn, "begin_quiet", keys=list(keys), now=now, until=until)
    return {row["key"] for row in rows}


async def learn_names(conn: Connection, names: Sequence[tuple[str, str]], now: datetime) -> None:
    """Keep what strategies are called, by id."""
    ids, texts = columns(names, 2)
    await SQL.run(conn, "learn_names", ids=ids, names=texts, now=now)


async def find_names(conn: Connection, strategy_ids: Sequence[str]) -> dict[str, str]:
    """The names of those strategies that are known."""
    rows = await SQL.fetch(conn, "find_names", ids=list(strategy_ids))
    return {row["strategy_id"]: row["name"] for row in rows}


async def put_notifications(conn: Connection, notes: Sequence[Note], now: datetime) -> list[int]:
    """Store notes; their numbers, in the same order."""
    rows = [(str(note.topic), note.message, note.about, note.link) for note in notes]
    topics, messages, abouts, links = columns(rows, 4)
    found = await SQL.fetch(
        conn, "put_notifications", topics=topics, messages=messages, abouts=abouts, links=links, now=now
    )
    return [row["id"] for row in found]


async def find_missing(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Those of the numbers that no notification has."""
    return [row["id"] for row in await SQL.fetch(conn, "find_missing", ids=list(ids))]


async def mark_read(conn: Connection, ids: Sequence[int], up_to: int | None, now: datetime) -> list[int]:
    """Mark as read; the numbers of those that were unread, ascending."""
    return sorted(row["id"] for row in await SQL.fetch(conn, "mark_read", ids=list(ids), up_to=up_to, now=now))


async def next_reading(conn: Connection, inbox: str, events: int) -> int:
    """Take so many sequence numbers of an inbox; the last of them."""
    sequence: int = await SQL.value(conn, "next_reading", inbox=inbox, events=events)
    return sequence


async def prune(conn: Connection, now: datetime, before: datetime, keep: int) -> int:
    """Forget notifications older than `before` or beyond the newest `keep`; how many went."""
    await SQL.run(conn, "prune_heard", before=before)
    await SQL.run(conn, "prune_quiet", now=now)
    await SQL.run(conn, "prune_names", before=before)
    return await SQL.run(conn, "prune_notifications", before=before, keep=keep)


# -- subscriptions ------------------------------------------------------------------------------------------------


async def add_subscription(
    conn: Connection, name: str, url: str, topics: Sequence[str], sealed_secret: str | None
) -> int | None:
    """The sequence of the new subscription, or None when the name is taken."""
    sequence: int | None = await SQL.value(
        conn, "add_subscription", name=name, url=url, topics=list(topics), sealed_secret=sealed_secret
    )
    return sequence


async def find_subscription(conn: Connection, name: str) -> tuple[str, str] | None:
    """State and channel of a subscription."""
    row = await SQL.row(conn, "find_subscription", name=name)
    return (row["state"], row["channel"]) if row else None


async def end_subscription(
    conn: Connection, name: str, state: str, reason: str, now: datetime
) -> tuple[str, list[str], int] | None:
    """Make it removed or dead and drop what was on its way; its url, topics and sequence, None if it was not there."""
    from_states = ["active"] if state == "dead" else ["active", "dead"]
    row = await SQL.row(conn, "end_subscription", name=name, state=state, reason=reason, from_states=from_states)
    if row is None:
        return None
    await SQL.run(conn, "drop_deliveries", name=name, reason=f"the subscription is {state}", now=now)
    return row["url"], row["topics"], row["sequence"]


async def set_log_subscription(conn: Connection, active: bool) -> None:
    """Switch deliveries to the log on or off."""
    await SQL.run(conn, "set_log_subscription", state="active" if active else "removed")


# -- deliveries ---------------------------------------------------------------------------------------------------


async def put_deliveries(conn: Connection, notification_ids: Sequence[int]) -> set[str]:
    """A waiting delivery for each notification and whoever wants it; the subscriptions concerned."""
    return {row["subscription"] for row in await SQL.fetch(conn, "put_deliveries", ids=list(notification_ids))}


async def admit(conn: Connection, subscriptions: Sequence[str], limit: int) -> list[str]:
    """Let waiting deliveries take the free places of their subscriptions; the ids of those that may go now."""
    names = list(subscriptions)
    await SQL.fetch(conn, "lock_subscriptions", names=names)
    return [row["id"] for row in await SQL.fetch(conn, "admit_deliveries", names=names, limit=limit)]


async def open_parcel(conn: Connection, delivery_id: str) -> Parcel | None:
    """A delivery with all that it needs, or None when it is no longer wanted."""
    row = await SQL.row(conn, "open_parcel", id=delivery_id)
    return Parcel(**{**row, "topic": NotificationTopic(row["topic"])}) if row else None


async def note_try(conn: Connection, parcel: Parcel, verdict: Verdict, started_at: datetime, now: datetime) -> bool:
    """Write what a try led to; False when the delivery was dropped meanwhile."""
    changed = await SQL.run(
        conn,
        "note_try",
        id=parcel.delivery_id,
        state=str(verdict.state),
        tries=verdict.tries,
        reason=verdict.reason,
        started_at=started_at,
        now=now,
    )
    if verdict.state is DeliveryState.DELIVERED:
        await SQL.run(conn, "note_success", name=parcel.subscription, now=now)
    return changed == 1
