"""Transactions in which the gateway learns from events: read models, the event log, whom to wake after the commit."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.gateway.commands.waiting import Waiting
from services.gateway.events import store as events
from services.gateway.events.stream_events import News, news_of, worth_telling
from services.gateway.resources.commands.store import Noted
from shared.core.bus import Handler, Handlers
from shared.core.transaction import Ledger, Transaction
from shared.core.wakeup import Wakeup
from shared.messages.base import Message
from shared.process.db import Pool
from shared.wire.codec import Envelope


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


Projection = Callable[[LearningTransaction, Sequence[Envelope[Any]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Learning:
    """A projection and the events that it takes; those of all its kinds reach it together, in order."""

    project: Projection
    kinds: Sequence[type[Message]]

    def handlers(self) -> Handlers:
        """One handler for all the kinds: it updates the read model and tells people what is worth telling."""

        async def handle(tx: Transaction, events: Sequence[Envelope[Any]]) -> None:
            if not isinstance(tx, LearningTransaction):
                raise TypeError("read models are written in learning transactions")
            await self.project(tx, events)
            tx.news += [news_of(event) for event in events if worth_telling(event)]

        handler: Handler = handle
        return dict.fromkeys(self.kinds, handler)


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
