"""The fleet's limit on content is divided among the deployers that live."""

import asyncio

from services.deployer.drivers.content import Pace
from services.deployer.store import Store
from shared.core.retrying import until_done
from shared.core.transaction import Ledger


async def share_pace(ledger: Ledger, pace: Pace, seconds: float) -> None:
    """Look every so many seconds how many there are; until cancelled."""

    async def look() -> None:
        async with ledger.pool.acquire() as conn:
            pace.divide(await Store(conn).runners())

    while pace.limits_fleet:
        await until_done(look, "deployers are counted later", "pace_retry")
        await asyncio.sleep(seconds)
    await asyncio.Event().wait()
