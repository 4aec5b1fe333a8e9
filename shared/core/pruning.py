"""What is no longer needed is deleted in small batches beside the work, so that no table grows for ever.

Each batch is a transaction of its own, with a pause behind it, and waits for nobody: rows that somebody else holds are
left for the next time. Every replica prunes; what one has deleted, the other does not find.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.core.errors import is_transient
from shared.core.retrying import pause
from shared.core.transaction import SQL, Ledger, Transaction
from shared.process.db import Connection

log = structlog.get_logger()

AT_ONCE = 1_000
"""Rows of one batch: a few milliseconds, so that nobody notices."""

BLOCKS_AT_ONCE = 64
"""Of a table that is walked through: some thousand rows."""

PAUSE_SECONDS = 0.05
"""Behind each batch, in which the work has PostgreSQL for itself."""

Batch = Callable[[Transaction, int], Awaitable[bool]]
"""Deletes up to so many rows, or looks through a part of a table; returns whether there may be more to do."""

Walk = Callable[[Connection, tuple[int, int], tuple[int, int]], Awaitable[object]]
"""Deletes what is not needed of the rows from the first place (block, row) up to, not including, the second."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """One kind of rows that go: `name` is for the log."""

    name: str
    batch: Batch


def old(query: Callable[[Connection, datetime, int], Awaitable[int]], days: float) -> Batch:
    """Batches of what is older than so many days; `query` deletes up to so many rows and returns how many."""

    async def batch(tx: Transaction, limit: int) -> bool:
        return await query(tx.conn, tx.now - timedelta(days=days), limit) > 0

    return batch


class TableWalk:
    """Walks through a whole table, block by block, where no index says which rows have to go.

    Such an index would have to be written by each step, only to be read here.
    """

    def __init__(self, table: str, walk: Walk) -> None:
        self._table = table
        self._walk = walk
        self._next = 0

    async def __call__(self, tx: Transaction, _limit: int) -> bool:
        """The next blocks; behind the last one it begins anew at the next time."""
        first, behind = self._next, self._next + BLOCKS_AT_ONCE
        await self._walk(tx.conn, (first, 0), (behind, 0))
        blocks: int = await SQL.value(tx.conn, "count_blocks", table=self._table)
        self._next = behind if behind < blocks else 0
        return bool(self._next)


def inbox(days: float) -> Pruning:
    """Answers that are older than the topics keep the commands."""
    return Pruning(
        "inbox", old(lambda conn, before, limit: SQL.run(conn, "prune_inbox", before=before, limit=limit), days)
    )


def gone(days: float) -> Pruning:
    """Names of what is gone for longer than any topic keeps what was said of it."""
    return Pruning(
        "gone", old(lambda conn, before, limit: SQL.run(conn, "prune_gone", before=before, limit=limit), days)
    )


async def prune(ledger: Ledger, pruning: Pruning) -> None:
    """Until nothing more is to be deleted."""
    more = True
    while more:
        async with ledger.transaction() as tx:
            more = await pruning.batch(tx, AT_ONCE)
        await pause(PAUSE_SECONDS)


async def prune_for_ever(ledger: Ledger, prunings: Sequence[Pruning], seconds: float) -> None:
    """All of them one after the other, every so many seconds, until cancelled.

    One that breaks is logged and holds up no other: a table that grows is no reason to end the work.
    """
    while True:
        await pause(seconds)
        for pruning in prunings:
            try:
                await prune(ledger, pruning)
            except Exception as error:
                if not is_transient(error):
                    log.exception("pruning broke and is tried again", action="prune_broke", of=pruning.name)
