"""Events about subscriptions and deliveries: what others show of them."""

from collections.abc import Iterable

from yarl import URL

from services.notifier import store
from services.notifier.store import Subscribed
from shared.core.transaction import Transaction
from shared.messages.base import Message
from shared.messages.notifier import DeliveriesChanged, SubscriptionChanged, WebhookFormat
from shared.wire.codec import Envelope

TOLD_AT_ONCE = 200
"""Deliveries in one event: half a kilobyte each."""


async def tell_deliveries(tx: Transaction, ids: Iterable[str]) -> None:
    """Say how these deliveries stand now."""
    found = await store.tell_deliveries(tx.conn, ids, tx.now)
    for name, deliveries in found.items():
        for start in range(0, len(deliveries), TOLD_AT_ONCE):
            part = tuple(deliveries[start : start + TOLD_AT_ONCE])
            tx.emit(DeliveriesChanged(subscription=name, deliveries=part))


def tell_subscription(tx: Transaction, changed: Subscribed, cause: Envelope[Message] | None = None) -> None:
    """Say how a subscription stands now."""
    facts = {name: getattr(changed, name) for name in SubscriptionChanged.model_fields}
    facts["url"] = shown_url(changed.url, changed.format)
    tx.emit(SubscriptionChanged(**facts), sequence=changed.sequence, cause=cause)


def shown_url(url: str, form: WebhookFormat) -> str:
    """The address as everybody may see it: to a chat, whoever knows the whole of it may write."""
    if form is WebhookFormat.STANDARD:
        return url
    return f"{URL(url).origin()}/…"
