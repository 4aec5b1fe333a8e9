"""Lanes: each subscription has a few places with the workers, so that a slow target holds up nobody but itself.

A delivery that failed leaves its place and waits for its next try in the table: a target that is down for a day must
not hold its places for a day.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from services.notifier import store
from services.notifier.context import Context
from shared.core.transaction import Timer, Transaction

QUEUE = "delivery"
TIMER = "deliver"
BUSY = "deliver_when_free"
"""The timer of subscriptions on which another transaction was at work."""
BUSY_PAUSE = timedelta(seconds=0.2)


async def fill(tx: Transaction, subscriptions: Iterable[str], limit: int, *, patient: bool = True) -> None:
    """Hand waiting deliveries to the workers where their subscriptions have a place free; come again for the others.

    Not `patient`: come again for those on which another transaction is at work, too. So must whoever has taken timers:
    the other one may be about to set the same, and each would wait for what the other holds.
    """
    if names := sorted(set(subscriptions)):
        admission = await store.admit(tx.conn, names, limit, tx.now, patient)
        await tx.put_jobs(QUEUE, [(delivery_id, {}) for delivery_id in admission.deliveries])
        for name, due_at in admission.next_due.items():
            tx.set_timer(TIMER, name, due_at)
        for name in admission.busy:
            tx.set_timer(BUSY, name, tx.now + BUSY_PAUSE)


async def fill_when_due(context: Context, tx: Transaction, timers: Sequence[Timer]) -> None:
    """Timer: some of these subscriptions' deliveries may be tried again."""
    await fill(tx, [timer.key for timer in timers], context.settings.per_subscription, patient=False)
