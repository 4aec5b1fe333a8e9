"""What a strategy that ends notes of sites that were offline, so that they catch up once they are back.

A strategy that was stopped is not gone on with by a machine: not after an abort or a time-out, and after too many
failures only if all of them were sites that were offline.
"""

from dataclasses import replace

from services.strategy_orchestrator import store
from services.strategy_orchestrator.rollout.policy import FAILURE_THRESHOLD
from services.strategy_orchestrator.rollout.reasons import SITES_FAILED
from services.strategy_orchestrator.rollout.tracked import TrackedStrategy
from shared.core.transaction import Transaction
from shared.messages.words import StrategyState

CATCH_UP = "catch_up"
"""The timer at which an ended strategy looks for sites that are back; its key is the strategy's id."""


async def note_offline(tx: Transaction, tracked: TrackedStrategy) -> None:
    """A strategy ended now: note what is to be tried again, and until when. The time counts from its first end."""
    if not tracked.catch_up_seconds:
        return None
    until = tracked.now.catch_up_until or tx.now + tracked.catch_up_seconds
    sites = await _outstanding(tx, tracked) if until > tx.now else 0
    if not sites:
        return await end_catching_up(tx, tracked)
    tracked.now = replace(tracked.now, catch_up_until=until, catch_up_sites=sites)
    tx.set_timer(CATCH_UP, tracked.now.id, tx.now)
    return None


async def _outstanding(tx: Transaction, tracked: TrackedStrategy) -> int:
    strategy = tracked.now
    if strategy.state is not StrategyState.FAILED or strategy.why.code not in {SITES_FAILED, FAILURE_THRESHOLD}:
        return 0
    if strategy.why.code == FAILURE_THRESHOLD and await store.catching_up.failed_otherwise(tx.conn, strategy.id):
        return 0
    return await store.catching_up.note(tx.conn, strategy.id, tx.now)


async def end_catching_up(tx: Transaction, tracked: TrackedStrategy) -> None:
    """Nothing of the strategy is tried again by itself from now on."""
    if tracked.now.catch_up_until is not None:
        await store.catching_up.forget(tx.conn, tracked.now.id)
        tracked.now = replace(tracked.now, catch_up_until=None, catch_up_sites=0)
