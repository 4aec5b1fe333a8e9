"""Strategies of long ago: an ended one is deleted after some time, as a person would do it; later its rows go.

Between the two it can still be undone by its id, and what is still on its way about it finds it. A plan that nobody
has started goes too, after a time of its own. Nothing that was started and has not ended is ever touched, however old
it is, such as a strategy that is paused.
"""

from datetime import timedelta
from pathlib import Path

from services.strategy_orchestrator import store
from services.strategy_orchestrator.settings import OrchestratorSettings
from shared.core.pruning import Batch, Pruning, old
from shared.core.transaction import Transaction
from shared.messages.strategy import StrategyDeleted
from shared.process.db import Queries
from shared.process.settings import Settings

SQL = Queries(Path(__file__).with_name("pruning.sql"))


def prunings(settings: Settings, own: OrchestratorSettings) -> list[Pruning]:
    """All that is pruned here."""
    return [
        Pruning("strategy", expire("expire_strategies", own.strategy_days, "it ended")),
        Pruning("plan", expire("expire_plans", own.plan_days, "it was planned, and never applied,")),
        Pruning("publication", old(store.publications.prune, own.plan_days)),
        Pruning("ended operation", old(store.deployments.prune_ended, 2 * settings.inbox_days)),
        Pruning("step", forget(settings.inbox_days)),
    ]


def expire(query: str, days: float, what: str) -> Batch:
    """Delete what ended, or was planned and not applied, so many days ago, and say so to those who show it."""

    async def batch(tx: Transaction, limit: int) -> bool:
        before = tx.now - timedelta(days=days)
        rows = await SQL.fetch(tx.conn, query, before=before, limit=limit, now=tx.now)
        for row in rows:
            event = StrategyDeleted(
                strategy_id=row["id"], name=row["name"], reason=f"{what} more than {days:g} days ago", at=tx.now
            )
            tx.emit(event, sequence=row["sequence"])
        return len(rows) >= limit

    return batch


def forget(days: float) -> Batch:
    """Forget what was deleted so many days ago: its steps in batches, then the strategy itself."""

    async def batch(tx: Transaction, limit: int) -> bool:
        strategy_id = await SQL.value(tx.conn, "next_forgotten", before=tx.now - timedelta(days=days))
        if strategy_id is None:
            return False
        steps = await SQL.run(tx.conn, "prune_steps", strategy_id=strategy_id, limit=limit)
        if steps < limit:
            await SQL.run(tx.conn, "forget_strategy", strategy_id=strategy_id)
        return True

    return batch
