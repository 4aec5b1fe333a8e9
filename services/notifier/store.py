"""The notifier's tables: one typed method a query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import TypeAdapter

from services.notifier.domain import Attempt, DeliveryRequest, Judgement
from services.notifier.payloads.variables import SAMPLE_FAILURE
from services.notifier.rules import FAILURES_TOLD, Note
from shared.messages.notifier import Delivery, DeliveryState, FailedOperation, WebhookFormat
from shared.messages.words import NotificationTopic
from shared.process.db import Connection, Queries, columns

SQL = Queries(Path(__file__).with_name("queries.sql"))

_NOTE: TypeAdapter[Note] = TypeAdapter(Note)
_FAILURES: TypeAdapter[tuple[FailedOperation, ...]] = TypeAdapter(tuple[FailedOperation, ...])


@dataclass(frozen=True, slots=True)
class NoteBatch:
    """How many of a family were told one by one, and since when others wait to be told together."""

    key: str
    told: int
    since: datetime | None

    @property
    def family(self) -> str:
        """The kind of its notes."""
        return self.key.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription as it stands after a change, for its event."""

    name: str
    state: str
    reason: str
    url: str
    topics: tuple[NotificationTopic, ...]
    format: WebhookFormat
    template: Mapping[str, Any] | None
    sequence: int


# -- notifications ------------------------------------------------------------------------------------------------


async def hear(conn: Connection, event_ids: Sequence[str], now: datetime) -> set[str]:
    """The events that were not told of before; they count as told from now on."""
    rows = await SQL.fetch(conn, "hear", event_ids=list(event_ids), now=now)
    return {row["event_id"] for row in rows}


async def begin_quiet(conn: Connection, keys: Sequence[str], now: datetime, until: datetime) -> set[str]:
    """The warnings that are not quiet now; from now on they are, until `until`."""
    rows = await SQL.fetch(conn, "begin_quiet", keys=list(keys), now=now, until=until)
    return {row["key"] for row in rows}


async def end_quiet(conn: Connection, keys: Sequence[str]) -> None:
    """These warnings may be raised again at once."""
    await SQL.run(conn, "end_quiet", keys=list(keys))


async def learn_names(conn: Connection, names: Sequence[tuple[str, str]], now: datetime) -> None:
    """Keep what strategies are called, by id."""
    ids, texts = columns(names, 2)
    await SQL.run(conn, "learn_names", ids=ids, names=texts, now=now)


async def find_names(conn: Connection, strategy_ids: Sequence[str]) -> dict[str, str]:
    """The names of those strategies that are known."""
    rows = await SQL.fetch(conn, "find_names", ids=list(strategy_ids))
    return {row["strategy_id"]: row["name"] for row in rows}


async def put_notifications(conn: Connection, notes: Sequence[Note], now: datetime) -> list[tuple[int, str]]:
    """Store notes; their numbers and the ids they are delivered under, in the same order."""
    rows = [
        (str(n.topic), n.message, n.about, n.link, n.count, _FAILURES.dump_json(n.failures).decode()) for n in notes
    ]
    names = ("topics", "messages", "abouts", "links", "counts", "failures")
    found = await SQL.fetch(conn, "put_notifications", now=now, **dict(zip(names, columns(rows, 6), strict=True)))
    return [(row["id"], row["message_id"]) for row in found]


async def open_batches(conn: Connection, keys: Sequence[str], now: datetime, rest: timedelta) -> dict[str, NoteBatch]:
    """Where each of these families stands, locked until the commit; keys in order, each once."""
    rows = await SQL.fetch(conn, "open_batches", keys=list(keys), now=now, rest=rest)
    return {row["key"]: NoteBatch(row["key"], row["told"], row["since"]) for row in rows}


async def add_to_batch(conn: Connection, key: str, alone: int, notes: Sequence[Note], now: datetime) -> None:
    """Keep notes to be told together, one for each thing they are about; `alone` more were told one by one."""
    kept = [note if place < FAILURES_TOLD else replace(note, failures=()) for place, note in enumerate(notes)]
    rows = [(note.about, _NOTE.dump_json(note).decode()) for note in kept]
    items, texts = columns(rows, 2)
    await SQL.run(conn, "add_to_batch", key=key, alone=alone, items=items, notes=texts, now=now)


async def take_batch(conn: Connection, key: str, first: int) -> tuple[int, list[Note]]:
    """Take all that waits under a key: how many, and the first of them. None while somebody adds to it."""
    if not await SQL.value(conn, "close_batch", key=key):
        return 0, []
    rows = await SQL.fetch(conn, "take_batch", key=key, limit=first)
    return (rows[0]["count"] if rows else 0), [_NOTE.validate_python(row["note"]) for row in rows]


async def add_failures(
    conn: Connection, failures: Sequence[tuple[str, datetime, FailedOperation, int]], most: int
) -> None:
    """Rows of strategy, time, failure and its place (from 1) among those of its strategy here; `most` are kept."""
    rows = [(s, f.operation_id, f.model_dump_json(), at, place) for s, at, f, place in failures]
    names = ("strategy_ids", "operation_ids", "failures", "ats", "places")
    await SQL.run(conn, "add_failures", most=most, **dict(zip(names, columns(rows, 5), strict=True)))


async def find_failures(
    conn: Connection, strategies: Sequence[tuple[str, datetime | None]]
) -> dict[str, list[FailedOperation]]:
    """The first failures of each of these strategies, before they were set going anew if they were."""
    found: dict[str, list[FailedOperation]] = {}
    ids, befores = columns(strategies, 2)
    for row in await SQL.fetch(conn, "find_failures", ids=ids, befores=befores):
        found.setdefault(row["strategy_id"], []).append(FailedOperation.model_validate(row["failure"]))
    return found


async def forget_failures(conn: Connection, begun: Sequence[tuple[str, datetime]]) -> None:
    """Of strategies that were set going at these times, what failed before."""
    ids, befores = columns(begun, 2)
    await SQL.run(conn, "forget_failures", ids=ids, befores=befores)


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


async def prune(conn: Connection, now: datetime, before: datetime, keep: int, limit: int) -> bool:
    """Forget notifications older than `before` or beyond the newest `keep`, and what was noted beside them.

    At most `limit` rows of a kind; whether there may be more.
    """
    kinds = ("prune_heard", "prune_names", "prune_failures", "prune_batches", "prune_tests")
    gone = [await SQL.run(conn, kind, before=before, limit=limit) for kind in kinds]
    gone.append(await SQL.run(conn, "prune_quiet", now=now, limit=limit))
    gone.append(await SQL.run(conn, "prune_notifications", before=before, keep=keep, limit=limit))
    return max(gone) >= limit


# -- subscriptions ------------------------------------------------------------------------------------------------


async def add_subscription(
    conn: Connection,
    name: str,
    url: str,
    topics: Sequence[str],
    sealed_secret: str | None,
    form: WebhookFormat,
    template: Mapping[str, Any] | None,
) -> int | None:
    """The sequence of the new subscription, or None when the name is taken."""
    facts = {"name": name, "url": url, "topics": list(topics), "sealed_secret": sealed_secret}
    sequence: int | None = await SQL.value(conn, "add_subscription", **facts, format=str(form), template=template)
    return sequence


async def find_subscription(conn: Connection, name: str) -> tuple[str, str] | None:
    """State and channel of a subscription."""
    row = await SQL.row(conn, "find_subscription", name=name)
    return (row["state"], row["channel"]) if row else None


async def end_subscription(
    conn: Connection, name: str, state: str, reason: str, now: datetime
) -> tuple[Subscribed, list[str]] | None:
    """Make it removed or dead and drop what was on its way; the ids of that. None if it was not there."""
    from_states = ["active"] if state == "dead" else ["active", "dead"]
    row = await SQL.row(conn, "end_subscription", name=name, state=state, reason=reason, from_states=from_states)
    if row is None:
        return None
    dropped = await SQL.fetch(conn, "drop_deliveries", name=name, reason=f"the subscription is {state}", now=now)
    return _subscribed(name, state, reason, row), [each["id"] for each in dropped]


async def enable_subscription(conn: Connection, name: str) -> Subscribed | None:
    """Make a dead one active; None if it is not dead."""
    row = await SQL.row(conn, "enable_subscription", name=name)
    return _subscribed(name, "active", "", row) if row else None


def _subscribed(name: str, state: str, reason: str, row: asyncpg.Record) -> Subscribed:
    topics, form = tuple(map(NotificationTopic, row["topics"])), WebhookFormat(row["format"])
    return Subscribed(name, state, reason, row["url"], topics, form, row["template"], row["sequence"])


async def set_log_subscription(conn: Connection, active: bool) -> None:
    """Switch deliveries to the log on or off."""
    await SQL.run(conn, "set_log_subscription", state="active" if active else "removed")


# -- deliveries ---------------------------------------------------------------------------------------------------


async def put_deliveries(conn: Connection, notification_ids: Sequence[int], now: datetime) -> list[tuple[str, str]]:
    """A waiting delivery for each notification and whoever wants it; their ids, and the subscriptions concerned."""
    rows = await SQL.fetch(conn, "put_deliveries", ids=list(notification_ids), now=now)
    return [(row["id"], row["subscription"]) for row in rows]


async def put_test(conn: Connection, delivery_id: str, name: str, now: datetime) -> None:
    """A test call, already with the workers."""
    await SQL.run(conn, "put_test", id=delivery_id, name=name, now=now)


async def lock_subscriptions(conn: Connection, names: Sequence[str] | None) -> list[str]:
    """Hold these, or all, until the end of the transaction; the names of those that are there."""
    return [row["name"] for row in await SQL.fetch(conn, "lock_subscriptions", names=names and list(names))]


async def admit(
    conn: Connection, subscriptions: Sequence[str], limit: int, now: datetime
) -> tuple[list[str], dict[str, datetime]]:
    """Let deliveries that are due take the free places of their subscriptions.

    The ids of those that may go now, and when the next ones of each subscription may.
    """
    names = await lock_subscriptions(conn, subscriptions)
    admitted = await SQL.fetch(conn, "admit_deliveries", names=names, limit=limit, now=now)
    due = await SQL.fetch(conn, "next_due", names=names, now=now)
    return [row["id"] for row in admitted], {row["name"]: row["due_at"] for row in due}


async def quiet_subscription(conn: Connection, name: str, until: datetime) -> None:
    """Start no delivery before that."""
    await SQL.run(conn, "quiet_subscription", name=name, until=until)


async def open_delivery(conn: Connection, delivery_id: str) -> DeliveryRequest | None:
    """A delivery with all that it needs, or None when it is no longer wanted."""
    row = await SQL.row(conn, "open_delivery", id=delivery_id)
    if row is None:
        return None
    facts = {**row, **(_sample(row["subscription"]) if row["notification_id"] is None else {})}
    failures = _FAILURES.validate_python(facts.pop("failures"))
    topic, form = NotificationTopic(facts.pop("topic")), WebhookFormat(facts.pop("format"))
    return DeliveryRequest(**facts, topic=topic, format=form, failures=failures)


def _sample(name: str) -> dict[str, Any]:
    """What a test call says: as much as a notification may."""
    message = f"This is a test of the subscription {name}: nothing has failed, and nothing is to be done"
    shown = {"topic": "done", "message": message, "about": name, "link": f"/v1/subscriptions/{name}", "count": 1}
    return {**shown, "failures": [SAMPLE_FAILURE.model_dump(mode="json")]}


async def note_try(
    conn: Connection,
    request: DeliveryRequest,
    attempt: Attempt,
    judgement: Judgement,
    started_at: datetime,
    now: datetime,
) -> bool:
    """Write what a try led to; False when the delivery was dropped meanwhile."""
    changed = await SQL.run(
        conn,
        "note_try",
        id=request.delivery_id,
        state=str(judgement.state),
        tries=judgement.tries,
        reason=judgement.reason,
        retry_at=judgement.retry_at,
        status=attempt.status,
        milliseconds=round((now - started_at).total_seconds() * 1000),
        started_at=started_at,
        now=now,
    )
    if judgement.state is DeliveryState.DELIVERED:
        await SQL.run(conn, "note_success", name=request.subscription, now=now)
    return changed == 1


async def tell_deliveries(conn: Connection, ids: Iterable[str], now: datetime) -> dict[str, list[Delivery]]:
    """How these deliveries stand now, by subscription, each with a higher number; those of the log are left out."""
    found: dict[str, list[Delivery]] = {}
    for row in await SQL.fetch(conn, "tell_deliveries", ids=list(ids)):
        facts = dict(row)
        found.setdefault(facts.pop("subscription"), []).append(Delivery(**facts, at=now))
    return found


async def find_undelivered(conn: Connection, name: str, limit: int) -> list[str]:
    """The newest deliveries of a subscription that are dead or were dropped."""
    return [row["id"] for row in await SQL.fetch(conn, "find_undelivered", name=name, limit=limit)]


async def find_deliveries(conn: Connection, name: str, ids: Sequence[str]) -> dict[str, tuple[DeliveryState, bool]]:
    """State of those that are known of this subscription, and whether it was a test call."""
    rows = await SQL.fetch(conn, "find_deliveries", name=name, ids=list(ids))
    return {row["id"]: (DeliveryState(row["state"]), row["is_test"]) for row in rows}


async def wait_again(conn: Connection, ids: Sequence[str]) -> list[str]:
    """Have ended deliveries delivered again; the ids of those that had ended."""
    return [row["id"] for row in await SQL.fetch(conn, "wait_again", ids=list(ids))]
