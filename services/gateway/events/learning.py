"""Transactions in which the gateway learns from events: read models, the event log, whom to wake after the commit."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.gateway.commands.pending import PendingAnswers
from services.gateway.events import store as events
from services.gateway.events.stream_events import OF_THE_GATEWAY, StreamEvent, short_type, stream_event_of
from services.gateway.resources.commands.store import StoredCommand
from shared.core.dispatching import Handler, Handlers
from shared.core.transaction import Begin, Transaction
from shared.core.wakeup import Wakeup
from shared.messages.base import Message
from shared.process.db import Connection
from shared.wire.codec import Envelope


@dataclass(slots=True)
class LearningTransaction(Transaction):
    """A transaction that also collects events for people, and commands that were answered in it."""

    stream_events: list[StreamEvent] = field(default_factory=list)
    answered: list[StoredCommand] = field(default_factory=list)

    async def finish(self) -> None:
        """As the last thing before the commit: from here on other replicas wait for the lock of the counter.

        A transaction without events for people need not reach the disk before the next one: lost in a crash of the
        database, it is read again from Kafka, since its offsets are lost with it. A position that a client has seen
        must not be lost, or it would be given to another event.
        """
        if self.stream_events:
            await events.write(self.conn, self.stream_events, self.now)
        else:
            await self.conn.execute("set local synchronous_commit = off")


def learning(pending: PendingAnswers, log_written: Wakeup) -> Begin:
    """How learning transactions begin. After the commit they wake waiting requests and the event stream."""

    def begin(conn: Connection, source: str, now: datetime) -> Transaction:
        tx = LearningTransaction(conn, source, now)

        def wake() -> None:
            pending.answered(tx.answered)
            if tx.stream_events:
                log_written.ring()

        tx.on_commit(wake)
        return tx

    return begin


Projection = Callable[[LearningTransaction, Sequence[Envelope[Any]]], Awaitable[None]]


def always(_: Any) -> bool:
    """For events of which the stream shows each."""
    return True


@dataclass(frozen=True, slots=True)
class Learning:
    """A projection and the events that it takes; those of all its kinds reach it together, in order."""

    project: Projection
    kinds: Sequence[type[Message]]

    hidden: Collection[type[Message]] = ()
    """Those of them that the stream does not show: they come too often, or say nothing to people."""

    shown: Callable[[Any], bool] = always
    """Of an event of another kind: whether the stream shows it itself."""

    def handlers(self) -> Handlers:
        """One handler for all the kinds: it updates the read model and tells people what is worth telling."""

        async def handle(tx: Transaction, events: Sequence[Envelope[Any]]) -> None:
            if not isinstance(tx, LearningTransaction):
                raise TypeError("read models are written in learning transactions")
            await self.project(tx, events)
            tx.stream_events += [stream_event_of(event) for event in events if self.shows(event.data)]

        handler: Handler = handle
        return dict.fromkeys(self.kinds, handler)

    def shows(self, data: Message) -> bool:
        """Whether people see this event in the stream."""
        return type(data) not in self.hidden and self.shown(data)


def stream_types(learned: Iterable[Learning]) -> frozenset[str]:
    """Short types of all that the stream may show."""
    shown = {short_type(kind.TYPE) for each in learned for kind in each.kinds if kind not in each.hidden}
    return frozenset(shown | OF_THE_GATEWAY)
