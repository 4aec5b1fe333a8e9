"""Lanes: each subscription has a few places with the workers, so that a slow target holds up nobody but itself."""

from collections.abc import Iterable

from services.notifier import store
from shared.ledger import Turn

QUEUE = "delivery"


async def fill(turn: Turn, subscriptions: Iterable[str], limit: int) -> None:
    """Hand waiting deliveries to the workers where their subscriptions have a place free."""
    if names := sorted(subscriptions):
        admitted = await store.admit(turn.conn, names, limit)
        await turn.put_jobs(QUEUE, [(delivery_id, {}) for delivery_id in admitted])
