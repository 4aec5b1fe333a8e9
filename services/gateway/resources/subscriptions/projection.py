"""Subscriptions, and their deliveries."""

from collections.abc import Iterable, Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.subscriptions import store
from services.gateway.resources.subscriptions.store import DeliveryRow, SubscriptionRow
from shared.messages import notifier
from shared.wire.codec import Envelope


async def learn_subscriptions(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """Who is told of notifications, and what was delivered to them."""
    for event in events:
        if isinstance(event.data, notifier.SubscriptionChanged):
            await store.put_subscription(tx.conn, _subscription(event))
    data = (event.data for event in events)
    if moved := newest_deliveries(n for n in data if isinstance(n, notifier.DeliveriesChanged)):
        await store.put_deliveries(tx.conn, moved)


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


KINDS = (notifier.SubscriptionChanged, notifier.DeliveriesChanged, notifier.DeliveryDied)
