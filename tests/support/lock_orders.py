"""Whether what locks several rows locks them in the order in which everybody does: then no two wait for each other."""

import asyncio
from collections.abc import Awaitable, Callable

from shared.core.transaction import Ledger, Transaction
from shared.process.db import Pool
from tests.support.patience import until_so

SOMEBODY_WAITS = (
    "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
)


async def waits_empty_handed(
    pool: Pool, first: str, later: str, locking: Callable[[Transaction], Awaitable[object]]
) -> None:
    """Somebody holds what comes first: who waits for it must not hold what comes later. Both are statements that lock
    it; nobody else may use the database."""
    ledger = Ledger(pool, "/test")

    async def lock() -> None:
        async with ledger.transaction() as tx:
            await locking(tx)

    async with pool.acquire() as holding, asyncio.TaskGroup() as tasks, holding.transaction():
        await holding.execute(first)
        tasks.create_task(lock())
        await until_so(lambda: pool.fetchval(SOMEBODY_WAITS))
        await _try(pool, later)


async def _try(pool: Pool, statement: str) -> None:
    """Raises LockNotAvailableError where it would have to wait; changes nothing."""
    async with pool.acquire() as conn:
        trying = conn.transaction()
        await trying.start()
        try:
            await conn.execute("set local lock_timeout = '200ms'")
            await conn.execute(statement)
        finally:
            await trying.rollback()
