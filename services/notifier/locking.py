"""What is locked at the beginning of a transaction, so that no two ever wait for each other.

First subscriptions, in the order of their names; then batches, jobs, deliveries and timers.
"""

from collections.abc import Sequence
from typing import Any

from services.notifier import batching, lanes, store
from shared.core.transaction import Timer, Transaction
from shared.wire.codec import Envelope

CONCERN_ALL = frozenset({batching.TIMER, "prune"})
"""Timers that may have something for anybody. Whom a batch concerns is known when it is told. What is pruned takes its
deliveries with it: a worker that settles one of these holds the subscription first, and if the two waited for each
other and it were he who is sent back, his try would not be noted, and the target would be called once more."""


async def lock_subscriptions_of_messages(tx: Transaction, _: Sequence[Envelope[Any]]) -> None:
    """Lock every subscription: whom a message concerns is known when it is told, and several are told one by one."""
    await store.lock_subscriptions(tx.conn, None)


async def lock_subscriptions_of_timers(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Lock every subscription that due timers may have something for.

    Before the timers are taken: whoever raises something holds subscriptions, and sets such a timer at its end.
    """
    if any(timer.kind in CONCERN_ALL for timer in timers):
        await store.lock_subscriptions(tx.conn, None)
    elif names := [timer.key for timer in timers if timer.kind == lanes.TIMER]:
        await store.lock_subscriptions(tx.conn, names)
