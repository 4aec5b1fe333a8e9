"""Transactions in which the gateway learns from events: read models, the event log, whom to wake after the commit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.gateway.news import News
from services.gateway.store import events
from services.gateway.store.commands import Noted
from services.gateway.waiting import Waiting
from shared.core.transaction import Ledger, Transaction
from shared.core.wakeup import Wakeup
from shared.process.db import Pool


@dataclass(slots=True)
class LearningTransaction(Transaction):
    """A transaction that also collects events for people, and commands that were answered in it."""

    news: list[News] = field(default_factory=list)
    answered: list[Noted] = field(default_factory=list)


class LearningLedger(Ledger):
    """Opens learning transactions. After the commit it wakes the event stream and waiting requests."""

    def __init__(self, pool: Pool, source: str, waiting: Waiting) -> None:
        super().__init__(pool, source)
        self.waiting = waiting
        self.news_written = Wakeup()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[LearningTransaction]:
        """A transaction that commits with everything the transaction collected, or leaves no trace."""
        async with self.pool.acquire() as conn, conn.transaction():
            tx = LearningTransaction(conn, self.source, datetime.now(UTC))
            yield tx
            await tx.flush()
            await _write_news(tx)
        self._wake(tx)
        self.waiting.answered(tx.answered)
        if tx.news:
            self.news_written.ring()


async def _write_news(tx: LearningTransaction) -> None:
    """As the last thing before the commit: from here on other replicas wait for the lock of the counter.

    A transaction without news need not reach the disk before the next one: lost in a crash of the database, it is read
    again from Kafka, since its offsets are lost with it. A position that a client has seen must not be lost, or it
    would be given to another event.
    """
    if tx.news:
        await events.write(tx.conn, tx.news, tx.now)
    else:
        await tx.conn.execute("set local synchronous_commit = off")
