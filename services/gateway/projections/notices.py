"""Notifications and subscriptions."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.store import notices as store
from services.gateway.store.as_json import text
from services.gateway.store.notices import DeliveryRow, NotificationRow, SubscriptionRow
from services.gateway.turns import LearningTransaction
from shared.messages import notifier
from shared.wire.codec import Envelope


async def learn_notices(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What was raised, what was read, and who is told of it."""
    data = [event.data for event in events]
    if raised := [_notification(n) for n in data if isinstance(n, notifier.NotificationRaised)]:
        await store.put_notifications(tx.conn, raised)
    if read := [i for n in data if isinstance(n, notifier.NotificationsRead) for i in n.ids]:
        await store.mark_read(tx.conn, read)
    for event in events:
        if isinstance(event.data, notifier.SubscriptionChanged):
            await store.put_subscription(tx.conn, _subscription(event))
    if moved := newest_deliveries(n for n in data if isinstance(n, notifier.DeliveriesChanged)):
        await store.put_deliveries(tx.conn, moved)


def _notification(n: notifier.NotificationRaised) -> NotificationRow:
    """Of the evidence only where it is: it is kept with its operation, once."""
    failed = text([{"operation_id": failure.operation_id, "site": failure.site} for failure in n.failures])
    return NotificationRow(n.notification_id, n.topic, n.message, n.about, n.link, n.raised_at, failed)


def _subscription(event: Envelope[notifier.SubscriptionChanged]) -> SubscriptionRow:
    s = event.data
    topics = [str(topic) for topic in s.topics]
    return SubscriptionRow(s.name, s.url, topics, s.state, s.reason, s.format, s.template, event.sequence, event.time)


def newest_deliveries(events: Iterable[notifier.DeliveriesChanged]) -> list[DeliveryRow]:
    """The last word on each delivery, whatever the order of the events."""
    rows: dict[str, DeliveryRow] = {}
    for event in events:
        for d in event.deliveries:
            if d.delivery_id not in rows or rows[d.delivery_id].nth < d.nth:
                facts = {**dict(d), "subscription": event.subscription}
                rows[d.delivery_id] = DeliveryRow(**facts)
    return list(rows.values())


KINDS = (
    notifier.NotificationRaised,
    notifier.NotificationsRead,
    notifier.SubscriptionChanged,
    notifier.DeliveriesChanged,
    notifier.DeliveryDied,
)
