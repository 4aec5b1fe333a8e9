"""Notifications: what was raised, what was read."""

from collections.abc import Sequence
from typing import Any

from services.gateway.events.learning import LearningTransaction
from services.gateway.resources.as_json import text
from services.gateway.resources.notifications import store
from services.gateway.resources.notifications.store import NotificationRow
from shared.messages import notifier
from shared.wire.codec import Envelope


async def learn_notifications(tx: LearningTransaction, events: Sequence[Envelope[Any]]) -> None:
    """What was raised, and what was read."""
    data = [event.data for event in events]
    if raised := [_notification(n) for n in data if isinstance(n, notifier.NotificationRaised)]:
        await store.put_notifications(tx.conn, raised)
    if read := [i for n in data if isinstance(n, notifier.NotificationsRead) for i in n.ids]:
        await store.mark_read(tx.conn, read)


def _notification(n: notifier.NotificationRaised) -> NotificationRow:
    """Of the evidence only where it is: it is kept with its operation, once."""
    failed = text([{"operation_id": failure.operation_id, "site": failure.site} for failure in n.failures])
    return NotificationRow(n.notification_id, n.topic, n.message, n.about, n.link, n.raised_at, failed)


KINDS = (notifier.NotificationRaised, notifier.NotificationsRead)
