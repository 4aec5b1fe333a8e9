"""Transactions in which the gateway learns from events: read models, the event log, whom to wake after the commit."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.gateway.commands.pending import PendingAnswers
from services.gateway.events import store as events
from services.gateway.events.stream_events import StreamEvent, is_streamed, stream_event_of
from services.gateway.resources.commands.store import StoredCommand
from shared.core.dispatching import Handler, Handlers
from shared.core.transaction import Ledger, Transaction
from shared.core.wakeup import Wakeup
from shared.messages.base import Message
from shared.process.db import Pool
from shared.wire.codec import Envelope


@dataclass(slots=True)
class LearningTransaction(Transaction):
    """A transaction that also collects events for people, and commands that were answered in it."""

    stream_events: list[StreamEvent] = field(default_factory=list)
    answered: list[StoredCommand] = field(default_factory=list)


class LearningLedger(Ledger):
    """Opens learning transactions. After the commit it wakes the event stream and waiting requests."""

    def __init__(self, pool: Pool, source: str, pending: PendingAnswers) -> None:
        super().__init__(pool, source)
        self.pending = pending
        self.log_written = Wakeup()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[LearningTransaction]:
        """A transaction that commits with everything the transaction collected, or leaves no trace."""
        async with self.pool.acquire() as conn, conn.transaction():
            tx = LearningTransaction(conn, self.source, datetime.now(UTC))
            yield tx
            await tx.flush()
            await _write_log(tx)
        self._wake(tx)
        self.pending.answered(tx.answered)
        if tx.stream_events:
            self.log_written.ring()


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
            tx.stream_events += [stream_event_of(event) for event in events if is_streamed(event)]

        handler: Handler = handle
        return dict.fromkeys(self.kinds, handler)


async def _write_log(tx: LearningTransaction) -> None:
    """As the last thing before the commit: from here on other replicas wait for the lock of the counter.

    A transaction without events for people need not reach the disk before the next one: lost in a crash of the
    database, it is read again from Kafka, since its offsets are lost with it. A position that a client has seen must
    not be lost, or it would be given to another event.
    """
    if tx.stream_events:
        await events.write(tx.conn, tx.stream_events, tx.now)
    else:
        await tx.conn.execute("set local synchronous_commit = off")
