"""Lanes: each subscription has a few places with the workers, so that a slow target holds up nobody but itself.

A delivery that failed leaves its place and waits for its next try in the table: a target that is down for a day must
not hold its places for a day.
"""

from collections.abc import Iterable, Sequence

from services.notifier import store
from services.notifier.context import Context
from shared.core.transaction import Timer, Transaction

QUEUE = "delivery"
TIMER = "deliver"


async def fill(tx: Transaction, subscriptions: Iterable[str], limit: int) -> None:
    """Hand waiting deliveries to the workers where their subscriptions have a place free; come again for the others."""
    if names := sorted(set(subscriptions)):
        admitted, due = await store.admit(tx.conn, names, limit, tx.now)
        await tx.put_jobs(QUEUE, [(delivery_id, {}) for delivery_id in admitted])
        for name, due_at in due.items():
            tx.set_timer(TIMER, name, due_at)


async def fill_when_due(context: Context, tx: Transaction, timers: Sequence[Timer]) -> None:
    """Timer: some of these subscriptions' deliveries may be tried again."""
    await fill(tx, [timer.key for timer in timers], context.settings.per_subscription)
