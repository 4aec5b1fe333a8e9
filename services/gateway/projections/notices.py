"""Notifications and subscriptions."""

from collections.abc import Sequence
from typing import Any

from services.gateway.store import notices as store
from services.gateway.store.notices import NotificationRow
from services.gateway.turns import LearningTurn
from shared.codec import Envelope
from shared.messages import notifier


async def learn_notices(turn: LearningTurn, events: Sequence[Envelope[Any]]) -> None:
    """What was raised, what was read, and who is told of it."""
    data = [event.data for event in events]
    if raised := [_notification(n) for n in data if isinstance(n, notifier.NotificationRaised)]:
        await store.put_notifications(turn.conn, raised)
    if read := [i for n in data if isinstance(n, notifier.NotificationsRead) for i in n.ids]:
        await store.mark_read(turn.conn, read)
    for event in events:
        if isinstance(event.data, notifier.SubscriptionChanged):
            await _subscription(turn, event)


def _notification(n: notifier.NotificationRaised) -> NotificationRow:
    return NotificationRow(n.notification_id, n.topic, n.message, n.about, n.link, n.raised_at)


async def _subscription(turn: LearningTurn, event: Envelope[notifier.SubscriptionChanged]) -> None:
    s = event.data
    named = {"name": s.name, "url": s.url, "state": s.state, "reason": s.reason}
    await store.put_subscription(turn.conn, **named, topics=list(s.topics), seq=event.sequence, at=event.time)


KINDS = (notifier.NotificationRaised, notifier.NotificationsRead, notifier.SubscriptionChanged, notifier.DeliveryDied)
