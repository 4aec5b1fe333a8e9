"""The event stream of one replica: it follows the log in the database, which all replicas write, to its clients.

A client that reads too slowly does not hold memory: its mailbox is emptied and it is told to read all anew.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from services.gateway.events import store as events
from services.gateway.settings import GatewaySettings
from shared.core.errors import is_transient
from shared.core.retrying import for_ever, until_done
from shared.core.wakeup import Wakeup
from shared.process.db import Pool

log = structlog.get_logger()

FALLBACK_SECONDS = 0.25
"""How soon events that another replica wrote are seen."""

PRUNE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Item:
    """One event as it goes over the wire. `frame` is shared by all clients."""

    position: int
    type: str
    strategy_id: str | None
    frame: bytes


@dataclass(frozen=True, slots=True)
class Interest:
    """What a client wants to see; None = everything."""

    strategy_id: str | None = None
    types: frozenset[str] | None = None

    def covers(self, item: Item) -> bool:
        """Whether the client wants this one."""
        wanted = self.types is None or item.type in self.types
        return wanted and (self.strategy_id is None or item.strategy_id == self.strategy_id)


class Mailbox:
    """Events that wait for one client, at most `limit` bytes of them."""

    def __init__(self, interest: Interest, limit: int) -> None:
        self.interest = interest
        self._limit = limit
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._bell = Wakeup()

    def put(self, item: Item) -> None:
        """Add an event, or empty the box and leave word that the client must read anew."""
        if not self.interest.covers(item):
            return
        self._items.append(item)
        self._bytes += len(item.frame)
        if self._bytes > self._limit:
            self.restart(item.position)
        self._bell.ring()

    def restart(self, position: int) -> None:
        """Forget what waits: everything up to `position` is to be read from the API."""
        self._items.clear()
        self._items.append(reset(position))
        self._bytes = 0
        self._bell.ring()

    def wake(self) -> None:
        """Have whoever takes from it look up."""
        self._bell.ring()

    async def take(self, seconds: float) -> list[Item]:
        """All that waits, in order; nothing when nothing came for `seconds`."""
        if not self._items:
            await self._bell.wait(seconds)
        taken = list(self._items)
        self._items.clear()
        self._bytes = 0
        return taken


def frame(position: int, kind: str, body: str) -> bytes:
    """An event in the format of text/event-stream."""
    return f"id: {position}\nevent: {kind}\ndata: {body}\n\n".encode()


def reset(position: int) -> Item:
    """The word that a client must read all anew, and may then go on from `position`."""
    body = '{"type":"reset","data":{"reason":"events were missed; read the resources again"}}'
    return Item(position, "reset", None, frame(position, "reset", body))


def item_of(row: asyncpg.Record) -> Item:
    """An event of the log."""
    wire = frame(row["position"], row["type"], row["body"])
    return Item(row["position"], row["type"], row["strategy_id"], wire)


class Hub:
    """Follows the log and hands each event to the clients of this replica."""

    def __init__(self, pool: Pool, log_written: Wakeup, own: GatewaySettings) -> None:
        self._pool = pool
        self._news_written = log_written
        self._own = own
        self._mailboxes: set[Mailbox] = set()
        self.position = 0
        self.closed = False

    @property
    def clients(self) -> int:
        """How many are connected to this replica."""
        return len(self._mailboxes)

    @property
    def full(self) -> bool:
        """Whether no further client is taken."""
        return self.closed or self.clients >= self._own.stream_clients

    @contextmanager
    def subscribe(self, interest: Interest) -> Iterator[Mailbox]:
        """A mailbox that gets everything after `self.position` as it is now."""
        mailbox = Mailbox(interest, self._own.stream_client_bytes)
        self._mailboxes.add(mailbox)
        try:
            yield mailbox
        finally:
            self._mailboxes.discard(mailbox)

    def close(self) -> None:
        """End every stream after what lies in its mailbox; its client comes back, to a replica that stays."""
        self.closed = True
        for mailbox in self._mailboxes:
            mailbox.wake()

    async def missed(self, after: int, up_to: int, interest: Interest) -> tuple[list[Item], int]:
        """The next events of the log after `after` for a client that resumes, and up to where they reach.

        They are a single reset when the log no longer, or not yet, has what comes after `after`.
        """
        types = None if interest.types is None else sorted(interest.types)
        async with self._pool.acquire() as conn:
            if after > up_to or not await self._reaches(conn, after, up_to):
                return [reset(up_to)], up_to
            rows, more = await events.after(conn, after, up_to, interest.strategy_id, types)
        return [item_of(row) for row in rows], rows[-1]["position"] if more else up_to

    async def _reaches(self, conn: asyncpg.pool.PoolConnectionProxy, after: int, up_to: int) -> bool:
        first = await events.first_position(conn)
        return after == up_to or (first is not None and first <= after + 1)

    async def follow(self) -> None:
        """Until cancelled. When the database is away, clients simply hear nothing until it is back."""
        await until_done(self._start_at_end, "events are shown later", "stream_retry")
        await for_ever(self._read_or_wait, "events are shown later", "stream_retry")

    async def _start_at_end(self) -> None:
        async with self._pool.acquire() as conn:
            self.position = await events.last_position(conn)

    async def _read_or_wait(self) -> None:
        if not await self._read_on():
            await self._news_written.wait(FALLBACK_SECONDS)

    async def _read_on(self) -> bool:
        """Hand out what is new; whether there may be more. An idle replica costs one cheap query."""
        if not self._mailboxes:
            return await self._skip_to_end()
        async with self._pool.acquire() as conn:
            rows, more = await events.after(conn, self.position, 2**62)
        self._hand_out(rows)
        return more

    def _hand_out(self, rows: Sequence[asyncpg.Record]) -> None:
        for item in map(item_of, rows):
            for mailbox in self._mailboxes:
                mailbox.put(item)
            self.position = item.position

    async def _skip_to_end(self) -> bool:
        async with self._pool.acquire() as conn:
            last = await events.last_position(conn)
        if not self._mailboxes:  # a client that came meanwhile counts on what follows the old position
            self.position = last
        return False

    async def prune(self) -> None:
        """Keep the log short, until cancelled. Every replica does; the second finds nothing left."""
        while True:
            before = datetime.now(UTC) - timedelta(minutes=self._own.stream_minutes)
            try:
                async with self._pool.acquire() as conn:
                    await events.prune(conn, self._own.stream_events, before)
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(PRUNE_SECONDS)
